/**
 * Random numbers inside the graph that depend on a seed which is fed: the same seed gives the same numbers on every
 * runtime and after every resume. ONNX's own RandomUniformLike and Dropout cannot: their seed is an attribute, and
 * the generator's state lives in the session.
 *
 * The numbers are a hash of (seed, stream, position) in 32-bit integers that wrap around, made of Add, Mul and Div
 * only, because those three take int32 on CPU, WebAssembly and WebGPU alike (BitShift takes unsigned integers only, for
 * which there is no Mul; xor came with opset 18). Positions are split into rows and columns: the short vectors are hashed thoroughly, and the whole
 * array pays for one broadcast sum and one round more. Uniforms are the same bits everywhere; normals go through
 * Log, Sqrt, Cos and Sin, which differ by 4e-7 between runtimes on CPU and by 6e-4 on WebGPU.
 *
 * Measured on CPU, 2 million elements, milliseconds on one thread (two): dropout 10.5 (7.4), ONNX Runtime's Dropout 11
 * (12); uniforms 11 (6.5), RandomUniformLike 11 (11); normals 27 (18), RandomNormalLike 32 (27). Filling a mask in
 * JavaScript takes 23.
 */
import { deriveSeed, random } from "../../random.ts";
import type { Graph, Value } from "../graph.ts";
import { constant, freshName } from "../graph.ts";
import { scoped } from "../scope.ts";
import type { Shape } from "../tensor.ts";
import { sizeOf } from "../tensor.ts";
import { add, div, mul, sqrt, sub } from "./arithmetic.ts";
import { cast } from "./cast.ts";
import { less } from "./comparison.ts";
import { slice } from "./cutting.ts";
import { concat } from "./joining.ts";
import { apply, scalar } from "./operator.ts";
import { reshape } from "./reshape.ts";
import { cos, log, sin } from "./transcendental.ts";

/** Odd constants without structure: the fraction of the golden ratio, multipliers of MurmurHash3 and of xxHash. */
const SEED_STEP = 0x9e3779b1 | 0;
const ODD = [0x85ebca6b | 0, 0xc2b2ae35 | 0, 0x27d4eb2f | 0] as const;

/** x·(x + k) carries low bits up, the quotient brings high bits down. */
function round(x: Value, k: number): Value {
  const up = mul(x, add(x, k));
  return add(up, div(up, 1 << 16));
}

/** At least `size` uniform even 32-bit integers, int32[rows, columns]; only their high bits are good. */
function bits(graph: Graph, size: number, seed: Value, stream: string | number): Value {
  if (seed.dtype !== "int32" || seed.shape.length !== 0)
    throw new Error(`the seed "${seed.name}" is ${seed.dtype}[${seed.shape}]; it must be an int32 scalar`);
  const columns = 2 ** Math.ceil(Math.log2(Math.max(size, 1)) / 2);
  const rows = Math.ceil(size / columns);
  const rng = random(deriveSeed(0, stream));
  const step = mul(seed, SEED_STEP);
  const along = (shape: Shape) => {
    const start = Int32Array.from({ length: sizeOf(shape) }, () => rng.uniform() * 2 ** 32);
    return round(round(add(constant(graph, { dtype: "int32", shape, data: start }), step), ODD[0]), ODD[1]);
  };
  const hashed = round(add(along([rows, 1]), along([columns])), ODD[2]);
  return mul(hashed, add(hashed, ODD[0]));
}

/** As many elements of `x` as `shape` holds, in that shape. For floats: beside WebGPU, slices of integers run on the CPU. */
function firstOf(x: Value, shape: Shape): Value {
  const size = sizeOf(shape);
  const flat = reshape(x, [-1]);
  return reshape(flat.shape[0] === size ? flat : slice(flat, { 0: { end: size } }), shape);
}

/**
 * Numbers uniform on [0, 1) in steps of 2⁻²⁴, float32[shape].
 *
 * `seed` is an int32 scalar, usually a fed counter of steps: each value gives unrelated numbers. `stream` tells apart
 * consumers of one seed: the same (seed, stream, shape) always gives the same numbers.
 */
export function randomUniform(graph: Graph, shape: Shape, seed: Value, stream: string | number): Value {
  const top = div(bits(graph, sizeOf(shape), seed, stream), 256);
  return firstOf(add(mul(cast(top, "float32"), 2 ** -24), 0.5), shape);
}

/** Standard normal numbers, float32[shape], by Box–Muller (both branches); `seed` and `stream` as in `randomUniform`. */
export function randomNormal(graph: Graph, shape: Shape, seed: Value, stream: string | number): Value {
  const half = Math.ceil(sizeOf(shape) / 2);
  const uniform = randomUniform(graph, [2, half], seed, stream);
  const part = (i: number) => slice(uniform, { 0: { start: i, end: i + 1 } });
  const radius = sqrt(mul(log(sub(1, part(0))), -2));
  // Between −π and π, where WebGPU promises the most of sin and cos.
  const angle = mul(sub(part(1), 0.5), 2 * Math.PI);
  return firstOf(concat([mul(radius, cos(angle)), mul(radius, sin(angle))], 0), shape);
}

export interface DropoutOptions {
  /** Tells apart dropouts that share a seed; by default the place in the model where this one stands. */
  stream?: string | number;
}

/**
 * Inverted dropout: each element is 0 with probability `rate`, else divided by 1 − rate. `seed` is an int32 scalar, a
 * fed counter of steps. The backward pass uses the same mask. For inference, leave it out.
 */
export function dropout(x: Value, rate: number, seed: Value, { stream }: DropoutOptions = {}): Value {
  if (!(rate >= 0 && rate < 1)) throw new Error(`dropout rate ${rate} is not in [0, 1)`);
  if (rate === 0) return x;
  const { graph } = x;
  const name = "dropout";
  const place = stream ?? freshName(graph, scoped(graph, name));
  const limit = Math.round((0.5 - rate) * 2 ** 32);
  const kept = less(
    bits(graph, sizeOf(x.shape), seed, place),
    scalar(graph, Math.min(limit, 2 ** 31 - 1), "int32"),
  );
  const mask = firstOf(mul(cast(kept, x.dtype), 1 / (1 - rate)), x.shape);
  // A product: ONNX Runtime's Where takes several times as long, and the backward pass is a product too.
  return apply(graph, "Mul", [x, mask], {}, { name })[0];
}
