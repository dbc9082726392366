import type { Call } from "../../kernels/team.ts";
import type { SparseKernels } from "./kernels.ts";
import type { SparseProgram } from "./program.ts";
import type { Machine } from "./steps.ts";

/** The kernel calls that make up another thread's share of a program, which is laid out in memory. */
export function recordCalls(program: SparseProgram["run"], who: Pick<Machine, "thread" | "threads">): Call[] {
  const calls: Call[] = [];
  const kernels = new Proxy({} as SparseKernels, {
    get:
      (_, name: string) =>
      (...args: (number | boolean)[]) =>
        calls.push([name, args]),
  });
  program({ ...who, kernels, floats: NOTHING, meet: () => calls.push(undefined) });
  return calls;
}

/** Only the first thread works without kernels. */
const NOTHING = new Float32Array(0);
