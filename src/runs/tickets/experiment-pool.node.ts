import type { ChildProcess } from "node:child_process";
import { fork } from "node:child_process";
import { fileURLToPath } from "node:url";
import { Problem } from "../../problem.ts";
import type { RunOutcome } from "../../sparsity/tickets/experiment.ts";
import { prerequisiteOf, runDefinitions } from "../../sparsity/tickets/run-definitions.ts";
import type { ExperimentSettings } from "../../sparsity/tickets/settings.ts";
import { isModular } from "../../sparsity/tickets/settings.ts";
import type { Snapshot } from "../../sparsity/tickets/snapshot.ts";
import { createTask } from "../../sparsity/tickets/tasks.ts";
import type { ExperimentJob } from "./experiment-directory.node.ts";
import { prepareDirectory, readOutcome, runJob } from "./experiment-directory.node.ts";

export interface ExperimentOptions {
  seeds: readonly number[];
  resume?: boolean;
  /** Worker processes; 0: this process alone. Each takes one core. */
  workers: number;
  /** Hears of every run, done now or before. */
  onRun?: (outcome: RunOutcome) => void;
  /** How far the run that a process is at has come. */
  onStep?: (job: ExperimentJob, step: number) => void;
  /** What the networks in training look like. */
  onSnapshot?: (job: ExperimentJob, snapshot: Snapshot) => void;
  signal?: AbortSignal;
}

export interface ExperimentResult {
  outcomes: RunOutcome[];
  /** False where the signal stopped it. */
  finished: boolean;
}

/** How many runs an experiment has for each seed, its base included. */
export function runCount(settings: ExperimentSettings): number {
  return runDefinitions(settings).size + 1;
}

/**
 * Runs an experiment in its directory: for every seed the base, then what depends on it. What is done is not done again,
 * so a killed experiment goes on with `resume`.
 */
export async function executeExperiment(
  settings: ExperimentSettings,
  directory: string,
  { seeds, resume = false, workers, onRun, onStep, onSnapshot, signal }: ExperimentOptions,
): Promise<ExperimentResult> {
  // What every run would refuse is refused before anything is written.
  if (isModular(settings.task)) createTask(settings.task, settings.p);
  await prepareDirectory(directory, settings, resume);
  const outcomes: RunOutcome[] = [];
  const names = ["base", ...runDefinitions(settings).keys()];
  const after = (before: string | undefined, seed: number): ExperimentJob[] =>
    names.filter((name) => prerequisiteOf(settings, name) === before).map((name) => ({ seed, name }));
  const ready = seeds.flatMap((seed) => after(undefined, seed));
  const running = new Set<Promise<void>>();
  let failed = false;
  const perform = async (runner: Runner, job: ExperimentJob) => {
    const outcome =
      (await readOutcome(directory, job)) ??
      (await runner.run(job, {
        onStep: (step) => onStep?.(job, step),
        onSnapshot: onSnapshot && ((snapshot) => onSnapshot(job, snapshot)),
      }));
    if (!outcome) return;
    outcomes.push(outcome);
    onRun?.(outcome);
    ready.unshift(...after(job.name, job.seed));
  };
  const work = async (runner: Runner) => {
    try {
      while (!signal?.aborted && !failed) {
        const job = ready.shift();
        if (!job && running.size === 0) return;
        if (!job) {
          // What runs now may make others ready.
          await Promise.race(running);
          continue;
        }
        const run = perform(runner, job);
        running.add(run);
        run.finally(() => running.delete(run)).catch(() => {});
        await run;
      }
    } catch (error) {
      failed = true;
      throw error;
    } finally {
      runner.end();
    }
  };
  const runners =
    workers === 0
      ? [ownRunner(settings, directory, signal)]
      : Array.from({ length: workers }, () => forkedRunner(settings, directory, signal));
  await Promise.all(runners.map(work));
  return { outcomes: outcomes.sort((a, b) => a.seed - b.seed), finished: !signal?.aborted };
}

interface Ears {
  onStep: (step: number) => void;
  onSnapshot?: (snapshot: Snapshot) => void;
}

interface Runner {
  run(job: ExperimentJob, ears: Ears): Promise<RunOutcome | undefined>;
  end(): void;
}

function ownRunner(settings: ExperimentSettings, directory: string, signal?: AbortSignal): Runner {
  return {
    run: (job, { onStep, onSnapshot }) =>
      runJob(settings, directory, job, { signal, onPoint: ({ step }) => onStep(step), onSnapshot }),
    end: () => {},
  };
}

export type ToWorker = {
  settings: ExperimentSettings;
  directory: string;
  job: ExperimentJob;
  /** Whether to tell what the network looks like. */
  watched: boolean;
};
export type FromWorker =
  | { step: number }
  | { snapshot: Snapshot }
  | { done: RunOutcome | undefined }
  /** `problem`: the user's to mend. */
  | { failed: string; problem: boolean };

/** A process that takes one job after the other. It is ended by its parent's signal, and loses only the job it is at. */
function forkedRunner(settings: ExperimentSettings, directory: string, signal?: AbortSignal): Runner {
  let child: ChildProcess | undefined;
  const kill = () => child?.kill();
  signal?.addEventListener("abort", kill);
  return {
    run: (job, { onStep, onSnapshot }) =>
      new Promise((resolve, reject) => {
        child ??= fork(fileURLToPath(new URL("./experiment-worker.node.js", import.meta.url)));
        const leave = () => {
          child!.off("message", hear);
          child!.off("exit", ended);
        };
        const hear = (message: FromWorker) => {
          if ("step" in message) return onStep(message.step);
          if ("snapshot" in message) return onSnapshot?.(message.snapshot);
          leave();
          if ("failed" in message)
            reject(message.problem ? new Problem(message.failed) : new Error(message.failed));
          else resolve(message.done);
        };
        const ended = (code: number | null, by: NodeJS.Signals | null) => {
          leave();
          child = undefined;
          const name = `the process of run ${job.name}, seed ${job.seed},`;
          if (signal?.aborted) resolve(undefined);
          else if (by)
            reject(
              new Problem(
                `${name} was killed (${by}); where memory has run out, take fewer --workers and go on by --resume`,
              ),
            );
          else reject(new Error(`${name} ended with code ${code}`));
        };
        child.on("message", hear);
        child.on("exit", ended);
        child.send({ settings, directory, job, watched: !!onSnapshot } satisfies ToWorker);
      }),
    end: () => {
      signal?.removeEventListener("abort", kill);
      if (child?.connected) child.disconnect();
    },
  };
}
