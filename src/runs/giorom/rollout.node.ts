import { fileProblem } from "../../data/file-problem.node.ts";
import { createNpzRows } from "../../data/npz-rows.node.ts";
import { type Tensor, tensor } from "../../engine/tensor.ts";
import { chamferDistance } from "../../giorom/chamfer.ts";
import { frameDecoder } from "../../giorom/decoders/decode-frames.ts";
import { type DecoderFile, openDecoderFile } from "../../giorom/decoders/decoder-file.ts";
import type { Rows } from "../../giorom/decoders/rows.ts";
import { bakeRows } from "../../giorom/decoders/rows.ts";
import type { Geometry } from "../../giorom/decoders/weightings.ts";
import {
  inverseDistanceRows,
  movingLeastSquaresRows,
  nearestRows,
} from "../../giorom/decoders/weightings.ts";
import type { Positions } from "../../giorom/features.ts";
import { byMotion } from "../../giorom/kinematic.ts";
import { relativeL2, rollout, squaredError } from "../../giorom/rollout.ts";
import { coverageOf, pick } from "../../giorom/sample.ts";
import { openSimulator } from "../../giorom/simulator.ts";
import { farthestPoints, randomPoints } from "../../physics/sampling.ts";
import { KINEMATIC } from "../../physics/trajectory.ts";
import { Problem } from "../../problem.ts";
import { problemOf, readModelFile } from "../load-model.node.ts";
import { openParticles } from "../particle-file.node.ts";
import { requireInside } from "./sparse-set.node.ts";

export const DECODERS = {
  nearest: "the displacement of the nearest particle",
  idw: "weights 1/distance² of the 8 nearest",
  mls: "the best affine function of the 8 nearest",
} as const;

/** Points of a larger cloud whose Chamfer distance stands for all (GIOROM spec 3.9). */
const CHAMFER_POINTS = 8192;

export interface RolloutFileOptions {
  model: string;
  scene: string;
  output: string;
  /** Particles that the network carries. */
  points: number;
  /** One of DECODERS, or the path of a trained decoder's .onnx file. */
  decoder: string;
  /** A kernel decoder gives weights of the best affine function, which keep turns and stretches exact. */
  affine: boolean;
  rebaseEvery?: number;
  /** Frames to predict; default as many as the scene has left. */
  frames?: number;
  /** First of the farthest points. */
  start: number;
  threads?: number;
  signal?: AbortSignal;
  warn(text: string): void;
  onFrame?(done: number, total: number): void;
}

export interface RolloutFileResult {
  frames: number;
  points: number;
  sparse: number;
  /**
   * Mean squared error over the predicted frames that the scene has too: of the carried particles, of all points. Kinematic ones,
   * which are where the scene has them, do not count in any of the four.
   */
  sparseError: number | null;
  error: number | null;
  /** Means over the same frames, of all points. */
  relativeL2: number | null;
  chamfer: number | null;
  millisecondsPerStep: number;
  millisecondsPerDecode: number;
}

/** What a rollout's file says of itself, as JSON in its array `rollout`. */
export interface RolloutDescription {
  model: string;
  scene: string;
  decoder: string;
  /** True frames at the start of the file. */
  seedFrames: number;
  bounds: (readonly [number, number])[];
}

/**
 * Rolls a scene out: some of its particles through the network, all of its points through the decoder. The file has the scene's
 * layout, with its first frames as they are.
 */
export async function rolloutFile(options: RolloutFileOptions): Promise<RolloutFileResult> {
  const { model, scene, output, decoder, rebaseEvery, threads, signal, warn } = options;
  const { onnx } = await readModelFile(model);
  const simulator = await openSimulator(onnx, { threads }).catch((error) => {
    throw problemOf(model, error);
  });
  const file = await openParticles(scene);
  let trained: DecoderFile | undefined;
  try {
    trained = await openDecoder(options);
    const { config, setting } = simulator;
    const { dim, history } = config;
    const seedFrames = history + 1;
    if (file.dim !== dim) throw new Problem(`${scene}: is in ${file.dim}D, the model in ${dim}D`);
    if (file.frames < seedFrames)
      throw new Problem(`${scene}: has ${file.frames} frames; the model starts from ${seedFrames}`);
    const massive = file.points - file.tracers;
    const seen: Float32Array[] = [];
    for (let t = 0; t < seedFrames; t++) {
      seen.push(await file.frame(t));
      requireInside(seen[t], setting.bounds, `${scene}: frame ${t}`);
    }
    if (options.points > massive)
      throw new Problem(`${scene}: has ${massive} material points, ${options.points} were asked for`);
    const chosen = farthestPoints(seen[0].subarray(0, massive * dim), dim, options.points, options.start);
    const coverage = coverageOf(pick(seen[0], dim, chosen), dim, setting.radius);
    if (coverage.connected < 1)
      warn(
        `${(100 * coverage.connected).toFixed(0)} % of the ${chosen.length} particles have a neighbour within the model's radius ${setting.radius.toPrecision(3)}; use more --points`,
      );
    const frames = options.frames ?? file.frames - seedFrames;
    const bake =
      trained?.bake ??
      ((geometry: Geometry) => bakeRows(classicRows(decoder, geometry), geometry.queries, dim));
    // Obstacles are where the scene has them; after its end, where they were last.
    let given = seen[seedFrames - 1];
    const types = Uint8Array.from(chosen, (i) => file.particleTypes[i]);
    const carried = byMotion(types, chosen.length);
    const { free } = byMotion(file.particleTypes, file.points);
    if (carried.free.length === 0)
      throw new Problem(
        `${scene}: all ${chosen.length} particles that are carried are kinematic (type ${KINEMATIC}); use more --points`,
      );
    const sourcesOf = (positions: Positions) => pick(positions, dim, carried.free);
    const dense = await frameDecoder(
      { dim, sources: sourcesOf(pick(given, dim, chosen)), queries: pick(given, dim, free) },
      { bake, rebaseEvery },
    );
    const compared = randomPoints(free.length, Math.min(CHAMFER_POINTS, free.length), 0);
    const rows = await createNpzRows(output, "positions", [file.points, dim]).catch((error) => {
      throw fileProblem("write", output, error);
    });
    const spent = { steps: 0, decode: 0 };
    const sums = { frames: 0, sparse: 0, dense: 0, relativeL2: 0, chamfer: 0 };
    try {
      for (const frame of seen) await rows.append(frame);
      let window: Positions[] = seen.map((frame) => pick(frame, dim, chosen));
      let done = 0;
      while (done < frames && !signal?.aborted) {
        const truth = seedFrames + done < file.frames ? await file.frame(seedFrames + done) : undefined;
        given = truth ?? given;
        const told = pick(given, dim, chosen);
        const before = performance.now();
        const [next] = await rollout((w) => simulator.step(w, types), window, {
          frames: 1,
          dim,
          prescribed: { points: carried.kinematic, at: () => told },
        }).catch((error) => {
          throw error instanceof Problem
            ? new Problem(error.message.replace(/^frame \d+/, `frame ${seedFrames + done}`))
            : error;
        });
        window = [...window.slice(1), next];
        const between = performance.now();
        const decoded = await dense.next(sourcesOf(next));
        spent.decode += performance.now() - between;
        spent.steps += between - before;
        if (truth) {
          const expected = pick(truth, dim, free);
          sums.sparse += squaredError(sourcesOf(next), sourcesOf(told), dim);
          sums.dense += squaredError(decoded, expected, dim);
          sums.relativeL2 += relativeL2(decoded, expected);
          sums.chamfer += chamferDistance(pick(decoded, dim, compared), pick(expected, dim, compared), dim);
          sums.frames++;
        }
        const positions = given.slice();
        free.forEach((i, row) => {
          for (let k = 0; k < dim; k++) positions[i * dim + k] = decoded[row * dim + k];
        });
        await rows.append(positions);
        done++;
        options.onFrame?.(done, frames);
      }
      const json = (value: object) => {
        const text = new TextEncoder().encode(JSON.stringify(value));
        return tensor("uint8", [text.length], text);
      };
      const description: RolloutDescription = { model, scene, decoder, seedFrames, bounds: setting.bounds };
      const others = new Map<string, Tensor>([
        ["particle_type", tensor("uint8", [file.points], Uint8Array.from(file.particleTypes))],
        ["sparse", tensor("uint32", [chosen.length], chosen)],
        ["rollout", json(description)],
      ]);
      if (file.metadata) others.set("metadata", json(file.metadata));
      await rows.finish(others);
      const mean = (sum: number) => (sums.frames > 0 ? sum / sums.frames : null);
      return {
        frames: seedFrames + done,
        points: file.points,
        sparse: chosen.length,
        sparseError: mean(sums.sparse),
        error: mean(sums.dense),
        relativeL2: mean(sums.relativeL2),
        chamfer: mean(sums.chamfer),
        millisecondsPerStep: spent.steps / Math.max(1, done),
        millisecondsPerDecode: spent.decode / Math.max(1, done),
      };
    } catch (error) {
      await rows.discard();
      throw fileProblem("write", output, error);
    }
  } finally {
    await trained?.release();
    await file.close();
    await simulator.release();
  }
}

/** The network of a decoder's file; undefined for one of DECODERS. */
async function openDecoder({
  decoder: name,
  affine,
  threads,
}: RolloutFileOptions): Promise<DecoderFile | undefined> {
  if (Object.hasOwn(DECODERS, name)) return undefined;
  if (!/\.(onnx|flg)$/.test(name))
    throw new Problem(
      `no decoder ${name}: choose ${Object.keys(DECODERS).join(", ")}, or give an .onnx file`,
    );
  const { onnx } = await readModelFile(name);
  return openDecoderFile(onnx, { affine, threads }).catch((error) => {
    throw problemOf(name, error);
  });
}

function classicRows(name: string, geometry: Geometry): Rows {
  if (name === "nearest") return nearestRows(geometry);
  return name === "idw" ? inverseDistanceRows(geometry) : movingLeastSquaresRows(geometry);
}
