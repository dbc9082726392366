import type { Arena } from "../../kernels/arena.ts";
import { createArena } from "../../kernels/arena.ts";
import { decodeWasm } from "../../kernels/decode.wasm.ts";
import { instantiate } from "../../kernels/instantiate.ts";
import type { Positions } from "../features.ts";

/** A sparse matrix [queries, sources] by rows: what each query takes from which sources. */
export interface Rows {
  readonly sources: number;
  /** Row q holds the entries starts[q] up to, not including, starts[q + 1]. */
  readonly starts: Uint32Array;
  readonly columns: Uint32Array;
  readonly weights: Float32Array;
}

/** Rows of `k` entries each. */
export function evenRows(columns: Uint32Array, weights: Float32Array, k: number, sources: number): Rows {
  const starts = Uint32Array.from({ length: columns.length / k + 1 }, (_, q) => q * k);
  return { sources, starts, columns, weights };
}

/** rows · values for values [sources, width]. */
export function applyRows(
  { starts, columns, weights }: Rows,
  values: ArrayLike<number>,
  width: number,
): Float64Array {
  const out = new Float64Array((starts.length - 1) * width);
  for (let q = 0; q + 1 < starts.length; q++)
    for (let e = starts[q]; e < starts[q + 1]; e++)
      for (let c = 0; c < width; c++) out[q * width + c] += weights[e] * values[columns[e] * width + c];
  return out;
}

/** Query positions from source displacements, frame after frame: all that depends on geometry is computed once. */
export interface BakedDecoder {
  readonly queries: number;
  /** Bytes that it keeps. */
  readonly bytes: number;
  /**
   * Positions of the queries, [queries, dim], for displacements of the sources, [sources, dim]. The array belongs to the decoder and
   * is overwritten by the next call.
   */
  decode(displacements: Positions): Float32Array;
}

interface Kernel {
  decode(
    starts: number,
    columns: number,
    weights: number,
    u: number,
    reference: number,
    out: number,
    rows: number,
    dim: number,
  ): void;
}

/** x_q = X_q + Σ w u for rows of weights and reference positions X_q, [queries, dim]. */
export function bakeRows(rows: Rows, reference: Positions, dim: number): BakedDecoder {
  const queries = rows.starts.length - 1;
  const bytes = 4 * (rows.starts.length + 2 * rows.columns.length + 4 * rows.sources + 2 * reference.length);
  const arena: Arena = createArena(bytes + 6 * 32);
  const whole = (from: Uint32Array) => {
    const to = arena.int32(from.length);
    to.set(from);
    return to.byteOffset;
  };
  const real = (from: Positions) => {
    const to = arena.float32(from.length);
    to.set(from);
    return to.byteOffset;
  };
  const starts = whole(rows.starts);
  const columns = whole(rows.columns);
  const weights = real(rows.weights);
  const at = real(reference);
  const u = arena.float32(4 * rows.sources);
  const out = arena.float32(reference.length);
  const { decode } = instantiate<Kernel>(decodeWasm, arena.memory);
  return {
    queries,
    bytes,
    decode: (displacements) => {
      for (let i = 0, from = 0; i < rows.sources; i++)
        for (let k = 0; k < dim; k++) u[4 * i + k] = displacements[from++];
      decode(starts, columns, weights, u.byteOffset, at, out.byteOffset, queries, dim);
      return out;
    },
  };
}
