import { formatSeconds, significant } from "../runs/format.ts";

export interface ProgressOptions {
  label: string;
  total: number;
  /** What is counted, e.g. "steps". */
  unit?: string;
  /** How a number of them is written. Default: as it is. */
  format?: (count: number) => string;
  /** Done before this process began: not part of the rate. */
  from?: number;
}

export interface Progress {
  /** `detail` is a short text behind the bar, e.g. the loss. */
  update(done: number, detail?: string): void;
  /** Leaves nothing behind on a terminal. */
  end(): void;
}

const BAR = 24;
const TERMINAL_MS = 80;
const PLAIN_MS = 10_000;

/** What stands at the bottom of the terminal. */
interface Footer {
  clear(): void;
  draw(): void;
}

let current: Footer | undefined;

/** Makes `footer` what notes are written above; undefined: nothing. */
export function setFooter(footer: Footer | undefined): void {
  current = footer;
}

/** A line on stderr, above the progress bar or whatever else stands at the bottom. */
export function note(text: string): void {
  current?.clear();
  process.stderr.write(`${text}\n`);
  current?.draw();
}

/** A bar with rate and time left on a terminal; elsewhere a line now and then. Everything goes to stderr. */
export function startProgress(options: ProgressOptions): Progress {
  const { label, total, unit = "", format = String, from = 0 } = options;
  const terminal = process.stderr.isTTY === true;
  const started = performance.now();
  let drawn = Number.NEGATIVE_INFINITY;
  let done = from;
  let detail = "";

  const text = (now: number) => {
    const seconds = (now - started) / 1000;
    const rate = seconds > 0 ? (done - from) / seconds : 0;
    const parts = [`${format(done)}/${format(total)}${unit && ` ${unit}`}`];
    if (rate > 0) parts.push(`${format === String ? significant(rate) : format(rate)}/s`);
    if (rate > 0 && done < total) parts.push(`${formatSeconds((total - done) / rate)} left`);
    if (detail) parts.push(detail);
    return parts.join(" · ");
  };
  const bar = () => {
    const filled = Math.round(BAR * Math.min(1, total > 0 ? done / total : 1));
    return `${"█".repeat(filled)}${"░".repeat(BAR - filled)}`;
  };
  const clear = () => process.stderr.write("\r\u001b[2K");
  const draw = () => {
    const now = performance.now();
    drawn = now;
    if (!terminal) {
      process.stderr.write(`${label}: ${text(now)}\n`);
      return;
    }
    const line = `${label} ${bar()} ${text(now)}`;
    clear();
    process.stderr.write([...line].slice(0, Math.max(20, (process.stderr.columns || 80) - 1)).join(""));
  };
  const shown = { clear, draw };
  if (terminal) {
    current = shown;
    draw();
  } else process.stderr.write(`${label}: ${format(total)}${unit && ` ${unit}`}\n`);

  return {
    update: (count, info = "") => {
      done = count;
      detail = info;
      const now = performance.now();
      if (now - Math.max(drawn, terminal ? drawn : started) >= (terminal ? TERMINAL_MS : PLAIN_MS)) draw();
    },
    end: () => {
      if (current !== shown) return;
      clear();
      current = undefined;
    },
  };
}
