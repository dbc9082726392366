import type { ExperimentJob } from "../runs/tickets/experiment-directory.node.ts";
import type { Snapshot } from "../sparsity/tickets/snapshot.ts";
import { viewLine, viewLines } from "./grok-view.ts";
import type { Progress } from "./progress.ts";
import { setFooter } from "./progress.ts";

const REDRAW_MS = 100;
const PLAIN_MS = 2000;

export interface LiveView extends Progress {
  snapshot(job: ExperimentJob, snapshot: Snapshot): void;
  /** A run is over: the view turns to the next that shows itself. */
  over(job: ExperimentJob): void;
}

/** Follows one run at a time on stderr: redrawn in place on a terminal, a line every two seconds elsewhere. */
export function startLiveView(total: number): LiveView {
  const { stderr } = process;
  const terminal = stderr.isTTY === true;
  let followed: string | undefined;
  let history: Snapshot[] = [];
  let status = `0/${total} runs`;
  let shown = 0;
  let drawn = Number.NEGATIVE_INFINITY;
  const title = ({ seed, name }: ExperimentJob) => `seed ${seed} ${name}`;
  const clear = () => {
    if (shown > 0) stderr.write(`\u001b[${shown}A\r\u001b[0J`);
    shown = 0;
  };
  const draw = () => {
    drawn = performance.now();
    if (followed === undefined || history.length === 0) return;
    if (!terminal) {
      stderr.write(`${viewLine(followed, history[history.length - 1])}\n`);
      return;
    }
    const lines = [...viewLines(followed, history, (stderr.rows || 24) - 3), "", status];
    const width = Math.max(20, (stderr.columns || 80) - 1);
    clear();
    stderr.write(lines.map((line) => `${[...line].slice(0, width).join("")}\n`).join(""));
    shown = lines.length;
  };
  if (terminal) setFooter({ clear, draw });
  return {
    snapshot: (job, snapshot) => {
      if (followed === undefined) {
        followed = title(job);
        history = [];
      }
      if (followed !== title(job)) return;
      history.push(snapshot);
      if (performance.now() - drawn >= (terminal ? REDRAW_MS : PLAIN_MS)) draw();
    },
    over: (job) => {
      if (followed === title(job)) followed = undefined;
    },
    update: (done, detail) => {
      status = `${done}/${total} runs${detail ? ` · ${detail}` : ""}`;
    },
    end: () => {
      clear();
      setFooter(undefined);
    },
  };
}
