import type { Snapshot } from "../sparsity/tickets/snapshot.ts";
import { bars, braille, sparkline } from "./glyphs.ts";

const WIDTH = 60;

/** What there is to see of one run, as lines: its mask, its spectrum, and how they came there. */
export function viewLines(title: string, history: readonly Snapshot[], height: number): string[] {
  const now = history[history.length - 1];
  const { mask, spectrum, neurons, neuronsAlive } = now;
  const percent = (share: number) => `${Math.round(100 * share)} %`;
  const gauge = (share: number) => "█".repeat(Math.round(10 * share)).padEnd(10, "░");
  const most = Math.max(...spectrum);
  const strongest = spectrum
    .map((share, i) => ({ f: i + 1, share }))
    .sort((a, b) => b.share - a.share)
    .slice(0, 4);
  const rest = [
    "",
    `power at frequencies 1 to ${spectrum.length}; most at ${strongest.map(({ f, share }) => `${f} (${percent(share)})`).join(", ")}`,
    ...bars(spectrum, most, 2),
    "",
    `test accuracy    ${sparkline(
      history.map((s) => s.test),
      WIDTH,
      1,
    )}`,
    `living neurons   ${sparkline(
      history.map((s) => s.neuronsAlive),
      WIDTH,
      neurons,
    )}`,
    `Fourier entropy  ${sparkline(
      history.map((s) => s.fourierEntropy),
      WIDTH,
      Math.log(spectrum.length),
    )}`,
  ];
  const head = `${title}, step ${now.step}   train ${gauge(now.train)} ${percent(now.train)}   test ${gauge(now.test)} ${percent(now.test)}`;
  const picture = [
    `mask: a dot is a living weight, a row one of ${neurons} neurons, ${neuronsAlive} of them alive`,
    ...braille(mask.shares, mask.rows, mask.columns),
  ];
  // Where the terminal is too low for the mask, what fits is drawn.
  return [head, ...(rest.length + picture.length + 1 <= height ? picture : []), ...rest];
}

/** The same in one line. */
export function viewLine(title: string, now: Snapshot): string {
  const percent = (share: number) => `${Math.round(100 * share)} %`.padStart(5);
  return `${title}, step ${String(now.step).padStart(5)}: train ${percent(now.train)}, test ${percent(now.test)}, ${now.neuronsAlive} of ${now.neurons} neurons alive, spectrum ${bars(now.spectrum, Math.max(...now.spectrum))[0]}`;
}
