import type { Value } from "../engine/graph.ts";
import { concat, conv, convTranspose, gelu, transpose } from "../engine/operators/index.ts";
import type { Layers } from "../nn/layers.ts";
import { Problem } from "../problem.ts";

/** An image network that sees the grid at several resolutions (Ronneberger et al. 2015). */
export interface UnetOptions {
  /** Channels at the finest resolution; twice as many at the next. */
  width: number;
  /** How often the grid is halved, and doubled again. */
  levels: number;
}

/** z [batch, size …, channels] → [batch, size …, features]. */
export function unet(
  build: Layers,
  name: string,
  z: Value,
  features: number,
  { width, levels }: UnetOptions,
): Value {
  const dim = z.shape.length - 2;
  if (z.shape[1] % 2 ** levels !== 0)
    throw new Problem(`a grid of ${z.shape[1]} nodes along an axis cannot be halved ${levels} times`);
  const axes = Array.from({ length: dim }, (_, k) => k);
  const weights = (part: string, outer: number, inner: number, side: number) => {
    const shape = [outer, inner, ...axes.map(() => side)];
    return build.weight(`${part}.weight`, shape, inner * side ** dim);
  };
  const bias = (part: string, channels: number, fanIn: number) =>
    build.weight(`${part}.bias`, [channels], fanIn);
  const convolve = (part: string, x: Value, channels: number, side = 3) =>
    conv(x, weights(part, channels, x.shape[1], side), {
      bias: bias(part, channels, x.shape[1] * side ** dim),
      pads: (side - 1) / 2,
    });
  const halve = (part: string, x: Value, channels: number) =>
    conv(x, weights(part, channels, x.shape[1], 2), {
      bias: bias(part, channels, x.shape[1] * 2 ** dim),
      strides: 2,
    });
  const double = (part: string, x: Value, channels: number) =>
    convTranspose(x, weights(part, x.shape[1], channels, 2), {
      bias: bias(part, channels, x.shape[1] * 2 ** dim),
      strides: 2,
    });

  const level = (depth: number, x: Value): Value => {
    const at = `${name}.${depth}`;
    const channels = width * 2 ** depth;
    const fine = gelu(convolve(`${at}.down`, x, channels));
    if (depth === levels) return fine;
    const coarse = level(depth + 1, gelu(halve(`${at}.halve`, fine, channels)));
    const back = double(`${at}.double`, coarse, channels);
    return gelu(convolve(`${at}.up`, concat([fine, back], 1), channels));
  };
  const first = transpose(z, [0, dim + 1, ...axes.map((k) => k + 1)]);
  const last = convolve(`${name}.out`, level(0, first), features, 1);
  return transpose(last, [0, ...axes.map((k) => k + 2), 1]);
}
