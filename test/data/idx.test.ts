import { readFileSync } from "node:fs";
import { join } from "node:path";
import { gzipSync as nodeGzip } from "node:zlib";
import { describe, expect, it } from "vitest";
import { readIdx } from "../../src/data/idx.ts";
import { expectProblem, hasSharedData, SHARED_DATA } from "./support.ts";

/** An IDX file put together byte by byte, as the format's description says. */
function idx(type: number, shape: number[], body: number[]): Uint8Array {
  const dims = shape.flatMap((d) => [d >>> 24, (d >>> 16) & 255, (d >>> 8) & 255, d & 255]);
  return Uint8Array.from([0, 0, type, shape.length, ...dims, ...body]);
}

describe("readIdx", () => {
  it.each([
    ["uint8", 0x08, [200, 1], [200, 1]],
    ["int8", 0x09, [0xff, 0x7f], [-1, 127]],
    ["int16", 0x0b, [0xff, 0xfe, 0x01, 0x02], [-2, 258]],
    ["int32", 0x0c, [0x80, 0, 0, 0, 0, 0, 1, 0], [-(2 ** 31), 256]],
    ["float32", 0x0d, [0x3f, 0x80, 0, 0, 0xc0, 0x20, 0, 0], [1, -2.5]],
    ["float64", 0x0e, [0x3f, 0xf0, 0, 0, 0, 0, 0, 0, 0xc0, 4, 0, 0, 0, 0, 0, 0], [1, -2.5]],
  ] as const)("reads %s, big endian", (dtype, code, body, values) => {
    const read = readIdx(idx(code, [2, 1], [...body]));
    expect(read.dtype).toBe(dtype);
    expect(read.shape).toEqual([2, 1]);
    expect([...read.data]).toEqual([...values]);
  });

  it("reads what another gzip has packed", () => {
    const file = idx(8, [3, 2], [1, 2, 3, 4, 5, 6]);
    expect(readIdx(nodeGzip(file))).toEqual(readIdx(file));
  });

  it("names what is wrong", () => {
    const file = idx(8, [3, 2], [1, 2, 3, 4, 5, 6]);
    expectProblem(() => readIdx(file.subarray(0, 17), "a.idx"), /a\.idx.*\[3,2\].*takes.*there are 5/);
    expectProblem(() => readIdx(Uint8Array.from([...file, 0])), /takes 6 bytes, but there are 7/);
    expectProblem(() => readIdx(idx(10, [1], [1])), /type 0xa/);
    expectProblem(() => readIdx(idx(8, [0xffffffff, 0xffffffff, 0xffffffff], [])), /takes more than 0 bytes/);
    expectProblem(() => readIdx(Uint8Array.from([1, 2, 3, 4])), /two zero bytes/);
    expectProblem(() => readIdx(Uint8Array.from([0, 0, 8, 9, 0])), /inside its header/);
    expectProblem(() => readIdx(nodeGzip(nodeGzip(file))), /gzip twice/);
  });

  it.runIf(hasSharedData)("reads MNIST: counts, first labels and mean pixel as published", () => {
    const open = (name: string) => readIdx(readFileSync(join(SHARED_DATA, "mnist", name)), name);
    const images = open("train-images-idx3-ubyte.gz");
    const labels = open("train-labels-idx1-ubyte.gz");
    expect(images.shape).toEqual([60000, 28, 28]);
    expect([...labels.data.slice(0, 5)]).toEqual([5, 0, 4, 1, 9]);
    const sum = (images.data as Uint8Array).reduce((a, b) => a + b, 0);
    expect(sum / images.data.length / 255).toBeCloseTo(0.1307, 4);
  });
});
