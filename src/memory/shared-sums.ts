import type { Arena } from "../kernels/arena.ts";
import { codesWasm } from "../kernels/codes.wasm.ts";
import { type Call, canShareMemory, createTeam } from "../kernels/team.ts";
import { Problem } from "../problem.ts";
import { chooseRows, planeWords } from "./bit-matrix.ts";
import type { Mac } from "./mac.ts";
import type { Network } from "./network.ts";
import { cellNumbers, kernelsFor } from "./room.ts";

/** Threads that can share a memory. */
export const MOST_THREADS = 16;

/** Words that `sumsAt` of kernels/codes.ts reads, to a multiple of 16 bytes. */
const TASK_WORDS = 8;

/** The bottom-up sums of all macs of a level at once, by several threads. */
export interface SharedSums {
  /** Of each mac the units that are active in its field; the sums are in its scratch afterwards. */
  sum(level: number, active: readonly (readonly ArrayLike<number>[])[]): void;
  end(): Promise<void>;
}

/** Where the tasks of one level are written, and the sums of each of its macs. */
export interface TaskRoom {
  tasks: Int32Array;
  planes: Int32Array[];
}

/** Macs are handed out whole where there are enough of them, otherwise their cells in as many parts as threads. */
const partsOf = (macs: number, threads: number) => (macs < threads ? threads : 1);

const mostTasks = (macs: number) =>
  Math.max(macs, partsOf(macs, MOST_THREADS) * Math.min(macs, MOST_THREADS));

/** Bytes that `taskRoom` and sums of their own for all macs of a level take of an arena. */
export function sharedSumsBytes(macs: number, cells: number): number {
  const stride = Math.ceil(cells / 32);
  return mostTasks(macs) * (4 * (TASK_WORDS + planeWords(stride)) + 16) + macs * (8 * 32 * stride + 16) + 16;
}

function taskRoom(arena: Arena, macs: number, cells: number): TaskRoom {
  const tasks = mostTasks(macs);
  const words = planeWords(Math.ceil(cells / 32));
  return {
    tasks: arena.int32(tasks * TASK_WORDS),
    planes: Array.from({ length: tasks }, () => arena.int32(words)),
  };
}

/** From now on so many threads, this one included, add up what reaches the macs. */
export async function useThreads(network: Network, threads: number): Promise<void> {
  if (!Number.isInteger(threads) || threads < 1 || threads > MOST_THREADS)
    throw new Problem(`memory: ${threads} threads are asked for; choose 1 to ${MOST_THREADS}`);
  const { arena, levels } = network;
  await network.team?.end();
  network.team = undefined;
  if (threads === 1) return;
  if (!canShareMemory())
    throw new Problem(
      "memory: threads cannot share memory here: the page has to be cross-origin isolated; use one thread",
    );
  if (!arena)
    throw new Problem(
      "memory: threads share weights that do not fade and take less than 1 GiB; use one thread",
    );
  for (const level of levels) {
    const { macs } = level;
    if (level.tasks) continue;
    const cells = macs[0].q * macs[0].k;
    level.tasks = taskRoom(arena, macs.length, cells);
    for (const mac of macs) mac.scratch = { ...mac.scratch, sums: cellNumbers(arena, cells) };
  }
  const shared = levels.map(({ macs, tasks }) => ({ macs, room: tasks! }));
  network.team = await shareSums(shared, arena, threads);
}

/**
 * Starts the threads. Every mac must have sums of its own in its scratch, in `arena`, which threads can share; learning
 * and the choice of codes stay with the thread that calls, mac after mac, so that the results are those of one thread.
 */
async function shareSums(
  levels: readonly { macs: readonly Mac[]; room: TaskRoom }[],
  { memory }: Arena,
  threads: number,
): Promise<SharedSums> {
  const plans = levels.map(({ macs, room }) => {
    const parts = partsOf(macs.length, threads);
    const calls: Call[][] = Array.from({ length: threads }, () => []);
    for (let task = 0; task < macs.length * parts; task++)
      calls[task % threads].push(["sumsAt", [room.tasks.byteOffset + 4 * TASK_WORDS * task]]);
    return { macs, room, parts, calls };
  });
  const team = await createTeam({
    memory,
    wasm: [codesWasm],
    jobs: Array.from({ length: threads - 1 }, (_, t) =>
      plans.map(({ calls }): Call[] => [...calls[t + 1], undefined]),
    ),
  });
  return {
    sum: (level, active) => {
      const { macs, room, parts, calls } = plans[level];
      for (const [m, mac] of macs.entries()) writeTasks(mac, active[m], room, m * parts, parts);
      team.start(level);
      const { sumsAt } = kernelsFor(room.tasks)!;
      for (const call of calls[0]) if (call) sumsAt(call[1][0] as number);
      team.meet();
    },
    end: () => team.end(),
  };
}

/** What `parts` calls of `sumsAt` are to do for one mac. */
function writeTasks(
  { up, scratch: { sums } }: Mac,
  groups: readonly ArrayLike<number>[],
  { tasks, planes }: TaskRoom,
  first: number,
  parts: number,
): void {
  if (!("words" in up.state)) return;
  const { stride, chosen } = up.state;
  let count = 0;
  for (const units of groups) count = chooseRows(up.state, units, count);
  const quarter = Math.ceil(stride / 4 / parts);
  for (let part = 0; part < parts; part++) {
    const [from, to] = [part, part + 1].map((p) => Math.min(16 * quarter * p, 4 * stride));
    tasks.set(
      [chosen!.byteOffset, count, from, to, sums.byteOffset, planes[first + part].byteOffset],
      TASK_WORDS * (first + part),
    );
  }
}
