import type { Value } from "../graph.ts";
import { constant } from "../graph.ts";
import { pad, slice } from "../operators/cutting.ts";
import { gather } from "../operators/indexing.ts";
import { reshape } from "../operators/reshape.ts";
import { transpose } from "../operators/transpose.ts";
import type { Windows } from "../operators/windows.ts";
import { tensor } from "../tensor.ts";
import type { Layout } from "./layout.ts";
import { blockedConv, reorderInput, reorderOutput } from "./nchwc.ts";

/** Bytes of the kernel (dy) that should stay in a core's cache while an image is read. */
const CACHE_BYTES = 256 * 1024;

/**
 * ∂/∂w of a convolution of one group: a convolution of x with dy as its kernel, in which the samples are the channels
 * that are summed over and the stride is the dilation. Undefined for dilated windows.
 */
export function weightGradient(layout: Layout, x: Value, dy: Value, windows: Windows): Value[] | undefined {
  if (windows.dilations.some((d) => d !== 1)) return undefined;
  const samples = layout.padded(x.shape[0]);
  const kernels = samplesAsChannels(padSamples(layout.blocked(dy), samples), layout.block);
  const known = layout.find(x);
  const dw =
    known || x.shape[1] >= layout.block
      ? fromBlocks(padSamples(known ?? layout.blocked(x), samples), kernels, windows, layout.block)
      : fromPlain(padSamples(x, samples), kernels, windows);
  const [filters, channels] = [dy.shape[1], x.shape[1]];
  const [wideFilters, wideChannels] = dw.shape;
  const whole = wideFilters === filters && wideChannels === channels;
  const part = whole ? dw : slice(dw, { 0: { end: filters }, 1: { end: channels } });
  return [reshape(part, [filters, channels, ...windows.kernel])];
}

function padSamples(x: Value, samples: number): Value {
  return pad(x, [0, 0, 0, 0], [samples - x.shape[0], 0, 0, 0]);
}

/** Blocked dy [n, o, h, w] as blocked weights [o, n, h, w]. */
function samplesAsChannels(dy: Value, block: number): Value {
  const [n, o, h, w] = dy.shape;
  const parts = reshape(dy, [n / block, block, o / block, h * w, block]);
  return reshape(transpose(parts, [2, 0, 3, 1, 4]), [o, n, h, w]);
}

/** Rows and columns that the windows read, from the padding in front on. */
function reach({ kernel, strides, output }: Windows): number[] {
  return kernel.map((k, i) => (output[i] - 1) * strides[i] + k);
}

/** x is plain and has few channels: [n, c, h, w] → [o, c, taps]. */
function fromPlain(x: Value, kernels: Value, windows: Windows): Value {
  const [n, channels] = x.shape;
  const { input, before, kernel } = windows;
  const [rows, columns] = reach(windows);
  const after = [rows - input[0] - before[0], columns - input[1] - before[1]];
  const padded = pad(reshape(x, [n * channels, ...input]), [0, ...before], [0, ...after]);
  const images = reorderInput(transpose(reshape(padded, [n, channels, rows, columns]), [1, 0, 2, 3]));
  const filters = kernels.shape[0];
  const dw = reorderOutput(blockedConv(images, kernels, { dilations: windows.strides }), filters);
  return transpose(reshape(dw, [channels, filters, kernel[0] * kernel[1]]), [1, 0, 2]);
}

/**
 * x is blocked: [n, c, h, w] → [o, c, taps]. The channels of a block become neighbours along the width, so that one
 * convolution slides over taps and channels alike. Where the kernel (dy of a few dozen filters) would not stay in the
 * cache, the height is cut into chunks that are summed over as further channels.
 */
function fromBlocks(x: Value, kernels: Value, windows: Windows, block: number): Value {
  const [n, channels] = x.shape;
  const [filters] = kernels.shape;
  const { input, before, kernel, strides, output } = windows;
  const [rows, columns] = reach(windows);
  const after = [rows - input[0] - before[0], columns - input[1] - before[1]];
  const blocks = channels / block;
  const images = pad(
    reshape(x, [n * blocks, input[0], input[1] * block]),
    [0, before[0], before[1] * block],
    [0, after[0], after[1] * block],
  );
  // [n/block, c/block, rows, columns, c in block, n in block]
  const turned = reorderInput(reshape(images, [n / block, block, 1, channels * rows * columns]));
  const width = columns * block;
  const parts = chunks(output, filters, block);
  const height = output[0] / parts;
  const slab = (height - 1) * strides[0] + kernel[0];
  const slabs =
    parts === 1
      ? transpose(reshape(turned, [n / block, blocks, rows * width * block]), [1, 0, 2])
      : gather(
          reshape(turned, [(n / block) * blocks * rows, width * block]),
          slabRows(n / block, blocks, rows, parts, height * strides[0], slab, x),
        );
  const product = blockedConv(
    reshape(slabs, [blocks, n * parts, slab, width]),
    reshape(kernels, [filters, n * parts, height, output[1]]),
    { dilations: [strides[0], strides[1] * block] },
  );
  const taps = kernel[0] * kernel[1];
  const dw = reshape(reorderOutput(product, filters), [blocks, filters, taps, block]);
  return reshape(transpose(dw, [1, 0, 3, 2]), [filters, channels, taps]);
}

/** How many chunks the height is cut into. */
function chunks([height, width]: readonly number[], filters: number, block: number): number {
  let parts = 1;
  const bytes = () => (height / parts) * width * block * Math.min(4 * block, filters) * 4;
  while (height % (2 * parts) === 0 && bytes() > CACHE_BYTES) parts *= 2;
  return parts;
}

/** Which row of the samples' and blocks' images each row of each slab is: [blocks, samples, parts, slab] flat. */
function slabRows(
  samples: number,
  blocks: number,
  rows: number,
  parts: number,
  step: number,
  slab: number,
  like: Value,
): Value {
  const index = new Int32Array(blocks * samples * parts * slab);
  let at = 0;
  for (let c = 0; c < blocks; c++)
    for (let n = 0; n < samples; n++)
      for (let p = 0; p < parts; p++)
        for (let r = 0; r < slab; r++) index[at++] = (n * blocks + c) * rows + p * step + r;
  return constant(like.graph, tensor("int32", [index.length], index));
}
