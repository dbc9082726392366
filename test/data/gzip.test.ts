import { deflateRawSync, gzipSync as nodeGzip } from "node:zlib";
import { describe, expect, it } from "vitest";
import { crc32 } from "../../src/data/crc32.ts";
import { gunzip, inflate, isGzip } from "../../src/data/gzip.ts";
import { expectProblem } from "./support.ts";

const text = new TextEncoder().encode("filigree ".repeat(1000));

/** The gzip file of `text` with one of the two words of its trailer replaced. */
function withTrailer(position: "crc" | "size", value: number): Uint8Array {
  const bytes = new Uint8Array(nodeGzip(text));
  new DataView(bytes.buffer).setUint32(bytes.length - (position === "crc" ? 8 : 4), value, true);
  return bytes;
}

describe("gunzip", () => {
  it("unpacks what zlib has packed, at every level", () => {
    for (const level of [0, 1, 6, 9]) expect(gunzip(nodeGzip(text, { level }), "x")).toEqual(text);
    expect(gunzip(nodeGzip(new Uint8Array()), "x")).toEqual(new Uint8Array());
  });

  it("has the CRC-32 of the standard's check value", () => {
    expect(crc32(new TextEncoder().encode("123456789"))).toBe(0xcbf43926);
  });

  it("refuses lying sizes, wrong checksums, damage and a second member", () => {
    expectProblem(() => gunzip(withTrailer("size", 0xffffffff), "x.gz"), /x\.gz.*cannot hold the 4294967295/);
    expectProblem(() => gunzip(withTrailer("size", 8999), "x"), /more than.*8999/);
    expectProblem(() => gunzip(withTrailer("size", 9001), "x"), /9000 bytes instead of the 9001/);
    expectProblem(() => gunzip(withTrailer("crc", 1), "x"), /checksum/);
    expectProblem(() => gunzip(nodeGzip(text).subarray(0, 40), "x"), /x/);
    expectProblem(
      () => gunzip(Buffer.concat([nodeGzip(text), nodeGzip("more")]), "x"),
      /several gzip members/,
    );
    expectProblem(() => gunzip(new Uint8Array(5), "x"), /too few/);
  });

  it("refuses a bomb behind a small stated size without unpacking it into memory", () => {
    const bomb = deflateRawSync(new Uint8Array(50_000_000));
    const before = process.memoryUsage().arrayBuffers;
    expectProblem(() => inflate(bomb, 1000, 0, "bomb"), /more than.*1000/);
    expect(process.memoryUsage().arrayBuffers - before).toBeLessThan(2_000_000);
  });

  it("accepts the highest ratio that DEFLATE reaches", () => {
    const zeros = new Uint8Array(20_000_000);
    const packed = nodeGzip(zeros, { level: 9 });
    expect(zeros.length / packed.length).toBeGreaterThan(1000);
    expect(gunzip(packed, "x").length).toBe(zeros.length);
  });

  it("tells gzip from other bytes", () => {
    expect(isGzip(nodeGzip("x"))).toBe(true);
    expect(isGzip(Uint8Array.from([0, 0, 8, 3]))).toBe(false);
  });
});
