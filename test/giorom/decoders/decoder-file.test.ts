import { describe, expect, test } from "vitest";
import { exportModel } from "../../../src/engine/onnx/export.ts";
import { liteConfig } from "../../../src/giorom/config.ts";
import {
  DECODER_NETWORKS,
  type DecoderNetwork,
  openDecoderFile,
  trainDecoderNetwork,
} from "../../../src/giorom/decoders/decoder-file.ts";
import { openFrameNetwork } from "../../../src/giorom/decoders/frame-network.ts";
import { openKernelDecoder } from "../../../src/giorom/decoders/kernel-decoder.ts";
import { subspaceModes } from "../../../src/giorom/decoders/neural-subspace.ts";
import { bakeRows } from "../../../src/giorom/decoders/rows.ts";
import { bakeModes } from "../../../src/giorom/decoders/subspace.ts";
import type { Geometry } from "../../../src/giorom/decoders/weightings.ts";
import { pick } from "../../../src/giorom/sample.ts";
import { SMALLEST, stepper } from "../../../src/giorom/stepper.ts";
import { farthestPoints } from "../../../src/physics/sampling.ts";
import { random } from "../../../src/random.ts";
import { expectProblemLater } from "../../data/support.ts";
import { largestDifference } from "../support.ts";

/** A cloud that is sheared further and further. */
function sheared(seed: number, points: number, frames: number): Float64Array[] {
  const { uniform } = random(seed);
  const start = Float64Array.from({ length: 2 * points }, () => 0.2 + 0.5 * uniform());
  return Array.from({ length: frames }, (_, t) =>
    start.map((x, i) => (i % 2 === 0 ? x + 0.02 * t * start[i + 1] : x)),
  );
}

const geometryOf = (frame: Float64Array, chosen: Uint32Array): Geometry => ({
  dim: 2,
  sources: pick(frame, 2, chosen),
  queries: frame,
});

describe.each(Object.keys(DECODER_NETWORKS) as DecoderNetwork[])("%s", (network) => {
  const training = {
    dim: 2,
    trajectories: [sheared(1, 80, 5), sheared(2, 80, 5)],
    seed: 0,
    threads: 1,
  } as const;
  const frames = sheared(3, 90, 4);
  const chosen = farthestPoints(frames[0], 2, 20);

  test("its file opens by itself as its own function opens it, for one reference after another", async () => {
    const steps: number[] = [];
    const bytes = await trainDecoderNetwork(network, {
      ...training,
      steps: 4,
      onStep: ({ step, loss }) => Number.isFinite(loss) && steps.push(step),
    });
    expect(steps).toEqual([1, 2, 3, 4]);
    const file = await openDecoderFile(bytes, { threads: 1 });
    for (const [from, to] of [
      [0, 2],
      [1, 3],
    ]) {
      const geometry = geometryOf(frames[from], chosen);
      const u = pick(frames[to], 2, chosen).map((x, i) => x - geometry.sources[i]);
      const found = Float32Array.from(await (await file.bake(geometry)).decode(u));
      expect(largestDifference(found, await directly(network, bytes, geometry, u))).toBe(0);
      expect(largestDifference(found, frames[from])).toBeGreaterThan(1e-4);
    }
    await file.release();
  });

  test("training ends after the step at hand", async () => {
    const stop = new AbortController();
    let last = 0;
    await trainDecoderNetwork(network, {
      ...training,
      steps: 1000,
      signal: stop.signal,
      onStep: ({ step }) => {
        last = step;
        if (step === 3) stop.abort();
      },
    });
    expect(last).toBe(3);
  });
});

async function directly(network: DecoderNetwork, bytes: Uint8Array, geometry: Geometry, u: Float64Array) {
  if (network === "subspace")
    return bakeModes(await subspaceModes(bytes, geometry), geometry.queries).decode(u);
  if (network === "kernel") {
    const kernel = await openKernelDecoder(bytes, { threads: 1 });
    const rows = await kernel.rows(geometry, { affine: true });
    await kernel.release();
    return bakeRows(rows, geometry.queries, 2).decode(u);
  }
  const decoder = await openFrameNetwork(bytes, geometry, { threads: 1 });
  const found = await decoder.decode(u);
  await decoder.release();
  return found;
}

test("other files, and bare means of what has no weights, are refused", async () => {
  const other = exportModel(stepper(liteConfig({ dim: 2, hidden: 4, grid: 0 }), SMALLEST));
  await expectProblemLater(
    openDecoderFile(other),
    /not a kernel decoder, nor another: .* filigree\.giorom\.subspace/,
  );
  const bytes = await trainDecoderNetwork("subspace", {
    dim: 2,
    trajectories: [sheared(1, 40, 3)],
    steps: 1,
    seed: 0,
    threads: 1,
  });
  await expectProblemLater(openDecoderFile(bytes, { affine: false }), /it is no kernel/);
});
