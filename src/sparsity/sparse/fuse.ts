import type { AffineOperation, Operation } from "./operations.ts";
import { FREE, inputsOf } from "./operations.ts";

/**
 * Merges what can be done in one pass: an affine map behind a product goes into its weights, an activation into the
 * limits of whatever it follows. Values in `kept` are somebody else's to read and stay.
 */
export function fuseOperations(operations: readonly Operation[], kept: ReadonlySet<string>): Operation[] {
  const readers = new Map<string, number>();
  for (const operation of operations)
    for (const name of inputsOf(operation)) readers.set(name, (readers.get(name) ?? 0) + 1);
  const fused: Operation[] = [];
  const makers = new Map<string, number>();
  for (const operation of operations) {
    const at = operation.kind === "affine" ? makers.get(operation.x) : undefined;
    const before = at === undefined ? undefined : fused[at];
    const merged =
      before && !kept.has(before.y) && readers.get(before.y) === 1
        ? withAffine(before, operation as AffineOperation)
        : undefined;
    if (merged) fused[at!] = merged;
    else fused.push(operation);
    makers.set(operation.y, merged ? at! : fused.length - 1);
  }
  return fused;
}

function withAffine(
  before: Operation,
  { factor, offset, low, high, y }: AffineOperation,
): Operation | undefined {
  if (before.kind !== "product" && before.kind !== "affine" && before.kind !== "add") return undefined;
  if (before.low !== FREE.low || before.high !== FREE.high) return undefined;
  const limits = { y, low, high };
  if (factor.every((f) => f === 1) && offset.every((o) => o === 0)) return { ...before, ...limits };
  if (before.kind === "add") return undefined;
  const combined = (own: Float32Array) => own.map((v, c) => v * factor[c] + offset[c]);
  if (before.kind === "affine")
    return {
      ...before,
      ...limits,
      factor: before.factor.map((f, c) => f * factor[c]),
      offset: combined(before.offset),
    };
  return {
    ...before,
    ...limits,
    weights: before.weights.map((w, i) => w * factor[Math.floor(i / before.columns)]),
    bias: combined(before.bias),
  };
}
