import { Problem } from "../../problem.ts";
import { runJob } from "./experiment-directory.node.ts";
import type { FromWorker, ToWorker } from "./experiment-pool.node.ts";

/** The other side of `executeExperiment`: one job after the other, until the parent hangs up. */
const say = (message: FromWorker) => process.connected && process.send!(message);

process.on("message", async ({ settings, directory, job, watched }: ToWorker) => {
  try {
    const outcome = await runJob(settings, directory, job, {
      onPoint: ({ step }) => step % 200 === 0 && say({ step }),
      onSnapshot: watched ? (snapshot) => say({ snapshot }) : undefined,
    });
    say({ done: outcome });
  } catch (error) {
    say({ failed: (error as Error).message, problem: error instanceof Problem });
  }
});
process.on("disconnect", () => process.exit());
// Ctrl-C reaches the whole group of processes: the parent decides what becomes of this one.
process.on("SIGINT", () => {});
