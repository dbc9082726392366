import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { encode } from "fast-png";
import { afterEach, beforeEach, describe, expect, it } from "vitest";
import { decodeImage, type Image, resizeImage } from "../../src/data/image.ts";
import { loadImageFolder } from "../../src/data/image-folder.node.ts";
import vectors from "../vectors/images.json" with { type: "json" };
import { expectProblem, expectProblemLater, fromBase64 } from "./support.ts";

function worst(a: ArrayLike<number>, b: ArrayLike<number>): number {
  expect(a.length).toBe(b.length);
  let most = 0;
  for (let i = 0; i < a.length; i++) most = Math.max(most, Math.abs(a[i] - b[i]));
  return most;
}

const rgb = decodeImage(fromBase64(vectors.images.rgb.png), 3);

describe("decodeImage", () => {
  it.each(Object.entries(vectors.images))("decodes Pillow's PNG: %s", (_, { png, data, shape }) => {
    const channels = shape[0] as 1 | 3;
    const image = decodeImage(fromBase64(png), channels);
    expect([image.channels, image.height, image.width]).toEqual(shape);
    expect([...image.data]).toEqual(data);
  });

  it.each([
    // The inverse transforms may differ by 1 in luma and in chroma, and blue is luma + 1.772 chroma.
    ["full chroma", 3],
    // libjpeg smooths the chroma when it enlarges it, this decoder repeats it: at steep places more than rounding.
    ["subsampled chroma", 12],
  ])("decodes JPEG as libjpeg does: %s", (name, tolerance) => {
    const { jpg, data, shape } = vectors.jpegs.find((j) => j.name === name)!;
    const image = decodeImage(fromBase64(jpg), 3);
    expect([3, image.height, image.width]).toEqual(shape);
    expect(worst(image.data, data)).toBeLessThanOrEqual(tolerance);
    expect(worst(image.data, data.toReversed())).toBeGreaterThan(100);
  });

  it("makes grey from colour as Pillow does, and repeats grey in colour", () => {
    const grey = decodeImage(fromBase64(vectors.images.rgb.png), 1);
    expect(worst(grey.data, vectors.images.grey.data)).toBeLessThanOrEqual(1);
    const repeated = decodeImage(fromBase64(vectors.images.grey.png), 3);
    const plane = vectors.images.grey.data;
    expect([...repeated.data]).toEqual([...plane, ...plane, ...plane]);
  });

  it("names what is damaged", () => {
    const png = fromBase64(vectors.images.rgb.png);
    const flipped = png.slice();
    flipped[60] ^= 4;
    expectProblem(() => decodeImage(flipped, 3, "a.png"), /a\.png: the PNG is damaged/);
    expectProblem(() => decodeImage(png.subarray(0, 200), 3, "a.png"), /a\.png: the PNG is damaged/);
    const huge = png.slice();
    new DataView(huge.buffer).setUint32(16, 0x7fffffff);
    expectProblem(() => decodeImage(huge, 3, "a.png"), /cannot hold 2147483647×13 pixels/);
    expectProblem(
      () => decodeImage(fromBase64(vectors.jpegs[0].jpg).subarray(0, 300), 3, "a.jpg"),
      /a\.jpg: the JPEG/,
    );
    expectProblem(() => decodeImage(new TextEncoder().encode("GIF89a"), 3), /neither/);
  });
});

describe("resizeImage", () => {
  it.each(vectors.resized)("equals Pillow's bilinear filter: $height×$width", ({ height, width, data }) => {
    // Pillow rounds between its two passes and uses fixed-point weights.
    expect(worst(resizeImage(rgb, height, width).data, data)).toBeLessThanOrEqual(1);
  });

  it("leaves a constant image constant and averages blocks when it halves", () => {
    const constant: Image = { channels: 1, height: 5, width: 7, data: new Uint8Array(35).fill(201) };
    expect(new Set(resizeImage(constant, 11, 3).data)).toEqual(new Set([201]));
    const board: Image = { channels: 1, height: 4, width: 4, data: new Uint8Array(16) };
    for (let i = 0; i < 16; i++) board.data[i] = ((i >> 2) + i) % 2 ? 0 : 200;
    // Nearest-neighbour or unfiltered bilinear sampling would give 0, 200 or depend on the phase.
    const half = resizeImage(board, 2, 2).data;
    for (const value of half) expect(Math.abs(value - 100)).toBeLessThanOrEqual(13);
  });
});

describe("loadImageFolder", () => {
  let dir: string;
  const put = (path: string, width: number, value: number) => {
    mkdirSync(join(dir, path, ".."), { recursive: true });
    const data = new Uint8Array(width * 4).fill(value);
    writeFileSync(join(dir, path), encode({ width, height: 4, channels: 1, data }));
  };

  beforeEach(() => {
    dir = mkdtempSync(join(tmpdir(), "filigree-"));
  });
  afterEach(() => rmSync(dir, { recursive: true }));

  it("reads train/ and test/, classes in the order of their names", async () => {
    put("train/dog/1.png", 4, 200);
    put("train/cat/1.png", 4, 100);
    put("train/cat/2.PNG", 4, 50);
    put("test/dog/9.png", 4, 210);
    mkdirSync(join(dir, "test/cat"));
    const data = await loadImageFolder(dir, { channels: 1 });
    expect(data.classes).toEqual(["cat", "dog"]);
    expect([...data.train.labels]).toEqual([0, 0, 1]);
    expect([0, 16, 32].map((i) => data.train.inputs.data[i])).toEqual([100, 50, 200]);
    expect([...data.test.labels]).toEqual([1]);
    expect(data.inputShape).toEqual([1, 4, 4]);
    expect(data.scale.mean[0]).toBeCloseTo(350 / 3 / 255, 12);
  });

  it("divides class folders by the seed, the same share of each class, no image twice", async () => {
    for (let i = 0; i < 20; i++) {
      put(`a/${i}.png`, 4, i);
      put(`b/${i}.png`, 4, 100 + i);
    }
    const values = (inputs: { data: ArrayLike<number> }) =>
      Array.from({ length: inputs.data.length / 16 }, (_, i) => inputs.data[i * 16]);
    const one = await loadImageFolder(dir);
    expect([...one.test.labels]).toEqual([0, 0, 0, 0, 1, 1, 1, 1]);
    const seen = [...values(one.train.inputs), ...values(one.test.inputs)].sort((x, y) => x - y);
    expect(seen).toEqual([...Array(20).keys(), ...Array.from({ length: 20 }, (_, i) => 100 + i)]);
    const again = await loadImageFolder(dir);
    const other = await loadImageFolder(dir, { seed: 1 });
    expect(values(again.test.inputs)).toEqual(values(one.test.inputs));
    expect(values(other.test.inputs)).not.toEqual(values(one.test.inputs));
  });

  it("has one channel where no image has colour, unless three are asked for", async () => {
    for (let i = 0; i < 5; i++) put(`grey/a/${i}.png`, 4, 10 * i);
    const grey = await loadImageFolder(join(dir, "grey"));
    expect(grey.inputShape).toEqual([1, 4, 4]);
    expect(grey).toEqual(await loadImageFolder(join(dir, "grey"), { channels: 1 }));
    expect((await loadImageFolder(join(dir, "grey"), { channels: 3 })).inputShape).toEqual([3, 4, 4]);
    put("tinted/train/a/1.png", 4, 7);
    mkdirSync(join(dir, "tinted/test/a"), { recursive: true });
    const data = new Uint8Array(48).fill(7);
    data[47] = 8;
    writeFileSync(join(dir, "tinted/test/a/2.png"), encode({ width: 4, height: 4, channels: 3, data }));
    expect((await loadImageFolder(join(dir, "tinted"))).inputShape).toEqual([3, 4, 4]);
  });

  it("wants one size, or resizes to the size asked for; names the file that fails", async () => {
    put("a/1.png", 4, 1);
    put("a/2.png", 4, 1);
    put("a/3.png", 6, 1);
    put("a/4.png", 4, 1);
    put("a/5.png", 4, 1);
    await expectProblemLater(loadImageFolder(dir), /3\.png: is 6×4 pixels, the images before it 4×4/);
    expect((await loadImageFolder(dir, { size: [2, 3] })).train.inputs.shape).toEqual([4, 1, 2, 3]);
    writeFileSync(join(dir, "a/3.png"), "no image");
    await expectProblemLater(loadImageFolder(dir), /3\.png: neither a PNG nor a JPEG/);
  });

  it("says what is missing", async () => {
    await expectProblemLater(loadImageFolder(join(dir, "nowhere")), /nowhere: not a folder/);
    await expectProblemLater(loadImageFolder(dir), /no class folders/);
    mkdirSync(join(dir, "a"));
    await expectProblemLater(loadImageFolder(dir), /no \.png or \.jpg images to train on/);
    put("a/1.png", 4, 1);
    await expectProblemLater(
      loadImageFolder(dir),
      /too few images to keep some for testing; put more into each/,
    );
    put("train/a/1.png", 4, 1);
    mkdirSync(join(dir, "test"));
    await expectProblemLater(loadImageFolder(dir), /test\/a: there is no such class folder/);
    mkdirSync(join(dir, "test", "a"));
    await expectProblemLater(loadImageFolder(dir), /no \.png or \.jpg images in test\/<class>/);
  });
});
