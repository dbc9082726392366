import type { Arena } from "../kernels/arena.ts";
import { codesWasm } from "../kernels/codes.wasm.ts";
import { createPool, type PoolCall } from "../kernels/pool.ts";
import { canShareMemory } from "../kernels/team.ts";
import { Problem } from "../problem.ts";
import { type BitMatrix, chooseRows, planeWords } from "./bit-matrix.ts";
import type { Mac } from "./mac.ts";
import type { Network } from "./network.ts";
import { cellNumbers, kernelsFor } from "./room.ts";

/** Threads that can share a memory. */
export const MOST_THREADS = 16;

/** Words that `sumsAt` of kernels/codes.ts reads, to a multiple of 16 bytes. */
const TASK_WORDS = 8;

/**
 * Fewer bytes of weights are added up sooner than another thread is awake: with 64 KiB here, the 25 macs of
 * `npm run bench -- sparsey` took twice as long with two threads as with one.
 */
const WORTH_SHARING = 2 ** 20;

/** The active units in a mac's field, group by group. */
type Seen = readonly { units: ArrayLike<number> }[];

/** The bottom-up sums of all macs of a level at once, by several threads. */
export interface SharedSums {
  /** True: the sums of every mac are in its scratch now. False: too little to do, and nothing is done. */
  sum(level: number, seen: readonly Seen[]): boolean;
  end(): Promise<void>;
}

/** Where the tasks of one level are written, and what they count with. */
export interface TaskRoom {
  tasks: Int32Array;
  planes: Int32Array[];
  /** Sums of the tasks that are not the first of their mac. */
  partial: Float64Array[];
}

/** Macs are handed out whole where there are enough of them, otherwise the active units of each in so many parts. */
const partsOf = (macs: number, threads: number) => Math.ceil(threads / macs);

const mostTasks = (macs: number) => macs * partsOf(macs, MOST_THREADS);

/** Bytes that `taskRoom` and sums of their own for all macs of a level take of an arena. */
export function sharedSumsBytes(macs: number, cells: number): number {
  const stride = Math.ceil(cells / 32);
  const sums = 8 * 32 * stride + 16;
  return mostTasks(macs) * (4 * (TASK_WORDS + planeWords(stride)) + 16 + sums) + 16;
}

function taskRoom(arena: Arena, macs: number, cells: number): TaskRoom {
  const tasks = mostTasks(macs);
  const words = planeWords(Math.ceil(cells / 32));
  return {
    tasks: arena.int32(tasks * TASK_WORDS),
    planes: Array.from({ length: tasks }, () => arena.int32(words)),
    partial: Array.from({ length: tasks - macs }, () => cellNumbers(arena, cells)),
  };
}

/**
 * From now on so many threads, this one included, add up what reaches the macs, wherever that is at least `least` bytes of
 * weights.
 */
export async function useThreads(network: Network, threads: number, least = WORTH_SHARING): Promise<void> {
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
  network.team = await shareSums(shared, arena, threads, least);
}

/**
 * Starts the threads. Every mac must have sums of its own in its scratch, in `arena`, which threads can share; learning
 * and the choice of codes stay with the thread that calls, mac after mac, so that the results are those of one thread.
 */
async function shareSums(
  levels: readonly { macs: readonly Mac[]; room: TaskRoom }[],
  { memory }: Arena,
  threads: number,
  least: number,
): Promise<SharedSums> {
  const plans = levels.map(({ macs, room }) => {
    const parts = partsOf(macs.length, threads);
    return macs.map((mac, m) => planSums(mac, room, m, parts));
  });
  const pool = await createPool({
    memory,
    wasm: [codesWasm],
    threads,
    batches: plans.map((level) =>
      level.flatMap(({ tasks }) => tasks.map((task): PoolCall => ["sumsAt", [task.byteOffset]])),
    ),
  });
  return {
    sum: (level, seen) => {
      const plan = plans[level];
      let bytes = 0;
      for (const [m, { matrix }] of plan.entries())
        for (const { units } of seen[m]) bytes += 4 * matrix.stride * units.length;
      if (bytes < least) return false;
      for (const [m, sums] of plan.entries()) writeRows(sums, seen[m]);
      pool.run(level);
      for (const { sums, partial } of plan)
        for (const part of partial) kernelsFor(sums)!.add(part.byteOffset, sums.byteOffset, sums.length);
      return true;
    },
    end: () => pool.end(),
  };
}

/** How the sums of one mac are added up. */
interface SumPlan {
  matrix: BitMatrix;
  /** What `sumsAt` of kernels/codes.ts reads: where the addresses of rows are and how many, which change, then what does not. */
  tasks: Int32Array[];
  sums: Float64Array;
  /** Sums of every task but the first, to be added to those of the first. */
  partial: Float64Array[];
}

function planSums({ up, scratch: { sums } }: Mac, room: TaskRoom, m: number, parts: number): SumPlan {
  // Weights in an arena do not fade.
  const matrix = up.state as BitMatrix;
  const partial = room.partial.slice(m * (parts - 1), (m + 1) * (parts - 1));
  const tasks = [sums, ...partial].map((to, part) => {
    const number = m * parts + part;
    const task = room.tasks.subarray(TASK_WORDS * number, TASK_WORDS * (number + 1));
    task.set([0, 0, 0, 4 * matrix.stride, to.byteOffset, room.planes[number].byteOffset]);
    return task;
  });
  return { matrix, tasks, sums, partial };
}

function writeRows({ matrix, tasks }: SumPlan, groups: Seen): void {
  let count = 0;
  for (const { units } of groups) count = chooseRows(matrix, units, count);
  // The kernel goes through 16 rows side by side.
  const most = 16 * Math.ceil(count / 16 / tasks.length);
  for (const [part, task] of tasks.entries()) {
    const first = Math.min(most * part, count);
    task[0] = matrix.chosen!.byteOffset + 4 * first;
    task[1] = Math.min(most, count - first);
  }
}
