import { existsSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { isDeepStrictEqual } from "node:util";
import { PbfReader } from "pbf";
import { describe, expect, it } from "vitest";
import { decodeModel, encodeModel, type ModelProto } from "../../../src/engine/onnx/proto.ts";
import { sizeOf } from "../../../src/engine/tensor.ts";
import { Problem } from "../../../src/problem.ts";
import { random } from "../../../src/random.ts";
import { mutator } from "./mutate.ts";
import { smallModel } from "./small-model.ts";

type Verdict = "decoded" | "refused" | "crashed" | "greedy" | "slow";

/**
 * Decodes and judges. Memory can only be seen to grow less than it did (a collection in between), so "greedy" is never
 * a false alarm: array data beyond 8 times the file, or objects beyond 256 times the file, each above a floor of
 * what the runtime takes for itself.
 */
function judge(
  decode: (bytes: Uint8Array) => unknown,
  bytes: Uint8Array,
): { verdict: Verdict; result?: unknown } {
  const before = process.memoryUsage();
  const start = process.cpuUsage();
  let verdict: Verdict = "decoded";
  let result: unknown;
  try {
    result = decode(bytes);
  } catch (error) {
    result = error;
    verdict = error instanceof Problem ? "refused" : "crashed";
  }
  const took = milliseconds(start);
  const after = process.memoryUsage();
  if (after.arrayBuffers - before.arrayBuffers > 8 * bytes.length + 2 ** 16) verdict = "greedy";
  if (after.heapUsed - before.heapUsed > 256 * bytes.length + 2 ** 23) verdict = "greedy";
  // An intact file of 80 kB takes about 3 ms; the rest is room for a slow machine.
  if (took > 1000) verdict = "slow";
  return { verdict, result };
}

/** Of the processor since `start`: what others take of the machine is not the decoder's time. */
function milliseconds(start: NodeJS.CpuUsage): number {
  const { user, system } = process.cpuUsage(start);
  return (user + system) / 1000;
}

function campaign(decode: (bytes: Uint8Array) => unknown, file: Uint8Array, runs: number, seed: number) {
  const mutate = mutator(file, random(seed));
  const tally: Record<Verdict, number> = { decoded: 0, refused: 0, crashed: 0, greedy: 0, slow: 0 };
  const decoded: ModelProto[] = [];
  for (let i = 0; i < runs; i++) {
    const { verdict, result } = judge(decode, mutate());
    tally[verdict]++;
    if (verdict === "decoded") decoded.push(result as ModelProto);
  }
  return { tally, decoded };
}

const folder = join(
  process.env.FILIGREE_SHARED ?? fileURLToPath(new URL("../../../../shared", import.meta.url)),
  "data/models/onnx",
);
const small = encodeModel(smallModel());

describe("damaged files", () => {
  it("decode or are refused, in bounded time and memory, and what decodes can be encoded (10000 small ones)", () => {
    const { tally, decoded } = campaign(decodeModel, small, 10_000, 1);
    expect(tally).toMatchObject({ crashed: 0, greedy: 0, slow: 0 });
    // Else the damage would be too light or too heavy to say anything.
    expect(tally.decoded).toBeGreaterThan(1000);
    expect(tally.refused).toBeGreaterThan(1000);
    let same = 0;
    for (const model of decoded.slice(0, 1500)) {
      const { verdict, result } = judge((m) => encodeModel(m as unknown as ModelProto), model as never);
      if (verdict === "refused") continue;
      expect(isDeepStrictEqual(decodeModel(result as Uint8Array), model)).toBe(true);
      same++;
    }
    expect(same).toBeGreaterThan(1000);
  });

  it.skipIf(!existsSync(folder)).each([
    ["mnist_8/model.onnx", 2000],
    ["mnist_pytorch.onnx", 300],
    ["light/light_squeezenet.onnx", 1000],
    ["light/light_resnet50.onnx", 300],
  ])(`%s damaged %i times likewise (skipped unless ${folder} exists)`, (file, runs) => {
    const { tally } = campaign(decodeModel, new Uint8Array(readFileSync(join(folder, file))), runs, 2);
    expect(tally).toMatchObject({ crashed: 0, greedy: 0, slow: 0 });
    expect(Math.min(tally.decoded, tally.refused)).toBeGreaterThan(runs / 20);
  });

  it("cut anywhere are refused, or are whole without their tail", () => {
    for (let length = 0; length < small.length; length++) {
      const { verdict, result } = judge(decodeModel, small.subarray(0, length));
      if (verdict === "decoded") expect((result as ModelProto).graph).toEqual(smallModel().graph);
      else expect(verdict).toBe("refused");
    }
  });
});

describe("the judge (controls)", () => {
  /** Reads initialisers as the pbf library does when nobody checks: shapes are believed, ends are overrun. */
  function naive(bytes: Uint8Array): number[] {
    const sizes: number[] = [];
    const pbf = new PbfReader(bytes);
    pbf.readFields((field) => {
      if (field === 7)
        pbf.readMessage((inner) => {
          if (inner !== 5) return;
          const dims: number[] = [];
          pbf.readMessage((f) => {
            if (f === 1) dims.push(pbf.readVarint(true));
          }, null);
          sizes.push(new Float32Array(sizeOf(dims)).length);
        }, null);
    }, null);
    return sizes;
  }

  it("finds a decoder that believes lengths and shapes to crash and to be greedy", () => {
    expect(naive(small)).toEqual([12, 1, 0, 2]);
    const { tally } = campaign(naive, small, 10_000, 1);
    expect(tally.crashed).toBeGreaterThan(0);
    expect(tally.greedy).toBeGreaterThan(0);
  });

  it("sees each fault by itself", () => {
    const wait = () => {
      const start = process.cpuUsage();
      while (milliseconds(start) < 1100);
    };
    const keep: unknown[] = [];
    expect(judge(wait, small).verdict).toBe("slow");
    expect(judge(() => keep.push(new Float32Array(2 ** 20)), small).verdict).toBe("greedy");
    expect(judge(() => keep.push(new Array(2 ** 22).fill(0)), small).verdict).toBe("greedy");
    expect(judge(() => (null as unknown as string).length, small).verdict).toBe("crashed");
    expect(judge(decodeModel, small).verdict).toBe("decoded");
  });
});
