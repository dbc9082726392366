import type { Arena } from "../../kernels/arena.ts";
import { createArena } from "../../kernels/arena.ts";
import { instantiate } from "../../kernels/instantiate.ts";
import { rootWasm } from "../../kernels/root.wasm.ts";
import { Problem } from "../../problem.ts";
import type { GroupValues } from "./per-group.ts";
import { sampleSize, uniformKernels } from "./uniform.ts";

/** The functions of kernels/root.ts. */
interface Kernels {
  findRoot(
    slope: number,
    rho: number,
    cost: number,
    perGroupRho: boolean,
    perGroupCost: boolean,
    groups: number,
    budget: number,
    room: number,
    sample: number,
    randomRounds: number,
  ): number;
  visited(): number;
  shares(
    slope: number,
    rho: number,
    perGroupRho: boolean,
    groups: number,
    omega: number,
    u: number,
    factors: number,
  ): void;
}

/** Memory of the root search for up to m groups, and of what else is to be computed beside it. */
export interface RootWorkspace {
  readonly arena: Arena;
  readonly slope: Float64Array;
  readonly rho: Float64Array;
  readonly cost: Float64Array;
  readonly room: Float64Array;
  /** Breakpoints of groups still in play, summed over the rounds of the latest call. */
  visits: number;
  /** Rounds with random pivots before exact medians take over; by default 2·log₂(2m) + 8. */
  randomRounds?: number;
}

/** Bytes that a root workspace takes for each group, and at most those of eight groups more. */
export const ROOT_BYTES = 8 * 11;

export function rootWorkspace(m: number, arena: Arena = createArena(ROOT_BYTES * (m + 8))): RootWorkspace {
  return {
    arena,
    slope: arena.float64(m),
    rho: arena.float64(m + 1),
    cost: arena.float64(m + 1),
    room: arena.float64(8 * m + 6),
    visits: 0,
  };
}

let scratch = { groups: -1, workspace: undefined as RootWorkspace | undefined };

/** A workspace for m groups that all callers share: what is in it lasts until the next search. */
export function sharedRootWorkspace(m: number): RootWorkspace {
  if (scratch.groups < m) scratch = { groups: 2 * m, workspace: rootWorkspace(2 * m) };
  return scratch.workspace!;
}

/** At or below this slope a group counts as zero: reciprocals must stay finite, and squares of such norms underflow. */
const ZERO_SLOPE = 1e-200;

/**
 * The root ω of g(ω) = Σ_j c_j·clip(ω·A_j − ρ_j, 0, 1) = K (wgsef.md 3.3), in linear time.
 *
 * g is piecewise linear with two breakpoints a group. Where ρ and c are the same for all, a sample encloses the root, one
 * pass settles all groups without a breakpoint there, and Newton's method solves for the rest; where the sample misled, it
 * takes about five passes over all (kernels/uniformProx.ts). Otherwise, or where it does not end, each round evaluates g at a
 * random breakpoint inside the bracket and settles the groups whose breakpoints fall outside.
 * With many groups a random sample is solved first, for two levels around K: one pass then settles nearly all groups.
 * Medians as pivots bound the worst case by O(m). Pivots are drawn anew from one seed in every call, so equal input gives
 * equal bits.
 *
 * Settled groups are only ever added to sums of like sign. Running slopes that also subtract (the usual form) lose all
 * digits when norms span more than about eight decades.
 *
 * @param slope A_j ≥ 0, m numbers; groups with A_j = 0 take no part. Copied where it lies outside the workspace's arena.
 * @param budget K > 0.
 * @returns ω ≥ 0, or Infinity when all live groups fit into the budget. Feed it to `shareAt`.
 * @throws Problem when a slope is not finite.
 */
export function findRoot(
  slope: Float64Array,
  rho: GroupValues,
  cost: GroupValues,
  budget: number,
  ws: RootWorkspace,
): number {
  const m = slope.length;
  const slopes = inArena(slope, ws);
  const sample = sampleSize(m);
  if (rho.mask === 0 && cost.mask === 0) {
    const uniform = uniformKernels(ws.arena);
    const level = budget / cost.values[0];
    const root = uniform.findRoot(slopes, false, rho.values[0], m, level, ws.room.byteOffset, sample);
    ws.visits = uniform.visited();
    if (!Number.isNaN(root)) return root;
  }
  const { findRoot: search, visited } = instantiate<Kernels>(rootWasm, ws.arena.memory);
  const root = search(
    slopes,
    valuesInArena(rho, ws.rho, ws),
    valuesInArena(cost, ws.cost, ws),
    rho.mask !== 0,
    cost.mask !== 0,
    m,
    budget,
    ws.room.byteOffset,
    sample,
    ws.randomRounds ?? 2 * Math.log2(2 * m) + 8,
  );
  ws.visits = visited();
  if (!Number.isNaN(root)) return root;
  const j = slope.findIndex((a) => !(a >= 0 && a < Infinity));
  throw new Problem(
    `wgsef: group ${j} has norm ${slope[j]}; weights must be finite, lower the learning rate or clip gradients`,
  );
}

/**
 * The share u_j = clip(ω·A_j − ρ_j, 0, 1) of one group. Values within rounding of 0 and 1 become exactly 0 and 1:
 * without that, about one exact case in seventy keeps a group too many (wgsef.md 3.3).
 */
export function shareAt(omega: number, slope: number, rho: number): number {
  if (!(slope > ZERO_SLOPE)) return 0;
  const share = omega * slope - rho;
  const rounding = 16 * Number.EPSILON * (1 + rho);
  return share <= rounding ? 0 : share >= 1 - rounding ? 1 : share;
}

/** The shares of all groups, and the factors u_j/(u_j + ρ_j), which are 1 where ρ_j is 0; m numbers each. */
export function sharesAndFactors(
  omega: number,
  slope: Float64Array,
  rho: GroupValues,
  ws: RootWorkspace,
  { u, factors }: { u: Float64Array; factors: Float64Array },
): void {
  const m = slope.length;
  const near = [u, factors].every((out) => out.buffer === ws.arena.memory.buffer);
  const [shares, quotients] = near
    ? [u, factors]
    : [ws.room.subarray(0, m), ws.room.subarray(m + 1, 2 * m + 1)];
  instantiate<Kernels>(rootWasm, ws.arena.memory).shares(
    inArena(slope, ws),
    valuesInArena(rho, ws.rho, ws),
    rho.mask !== 0,
    m,
    omega,
    shares.byteOffset,
    quotients.byteOffset,
  );
  if (near) return;
  u.set(shares);
  factors.set(quotients);
}

function inArena(slope: Float64Array, ws: RootWorkspace): number {
  if (slope.buffer === ws.arena.memory.buffer) return slope.byteOffset;
  ws.slope.set(slope);
  return ws.slope.byteOffset;
}

/** Kernels read two groups at a time, so a value that all share is written twice. */
function valuesInArena({ values, mask }: GroupValues, target: Float64Array, ws: RootWorkspace): number {
  if (mask === 0) target.fill(values[0], 0, 2);
  else if (values.buffer !== ws.arena.memory.buffer) target.set(values);
  else return values.byteOffset;
  return target.byteOffset;
}
