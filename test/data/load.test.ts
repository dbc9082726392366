import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { gzipSync } from "node:zlib";
import { encode } from "fast-png";
import { createTar } from "nanotar";
import { afterEach, beforeEach, describe, expect, it } from "vitest";
import { measureScale } from "../../src/data/dataset.ts";
import { loadDataset } from "../../src/data/load.node.ts";
import { writeNpz } from "../../src/data/npz.ts";
import { DATASET_NAMES, REMOTE_DATASETS } from "../../src/data/registry.ts";
import type { Tensor } from "../../src/engine/tensor.ts";
import { expectProblemLater, hasSharedData, SHARED_DATA } from "./support.ts";

function idx(shape: number[], body: Uint8Array): Buffer {
  const header = Buffer.alloc(4 + 4 * shape.length);
  header.set([0, 0, 8, shape.length]);
  shape.forEach((d, i) => {
    header.writeUInt32BE(d, 4 + 4 * i);
  });
  return Buffer.concat([header, body]);
}

/** Records with the labels given, all pixels of record i being i. */
function records(labels: number[]): Buffer {
  return Buffer.concat(labels.map((label, i) => Buffer.concat([Buffer.of(label), Buffer.alloc(3072, i)])));
}

describe("loadDataset", () => {
  let dir: string;
  const savedEnvironment = process.env.FILIGREE_DATA;

  beforeEach(() => {
    dir = mkdtempSync(join(tmpdir(), "filigree-"));
    delete process.env.FILIGREE_DATA;
  });
  afterEach(() => {
    rmSync(dir, { recursive: true });
    if (savedEnvironment === undefined) delete process.env.FILIGREE_DATA;
    else process.env.FILIGREE_DATA = savedEnvironment;
  });

  function putIdx(folder: string, packed: boolean): void {
    mkdirSync(join(dir, folder), { recursive: true });
    const put = (name: string, bytes: Buffer) =>
      writeFileSync(join(dir, folder, packed ? `${name}.gz` : name), packed ? gzipSync(bytes) : bytes);
    put("train-images-idx3-ubyte", idx([3, 28, 28], new Uint8Array(3 * 784).fill(9)));
    put("train-labels-idx1-ubyte", idx([3], Uint8Array.of(1, 2, 9)));
    put("t10k-images-idx3-ubyte", idx([2, 28, 28], new Uint8Array(2 * 784).fill(8)));
    put("t10k-labels-idx1-ubyte", idx([2], Uint8Array.of(7, 0)));
  }

  it.each([
    ["fashion-mnist", true],
    ["fashion_mnist", false],
    [".", true],
  ])("finds the files in <dir>/%s, packed %s", async (folder, packed) => {
    putIdx(folder, packed);
    const data = await loadDataset("fashion-mnist", { dataDir: dir });
    expect(data.train.inputs.shape).toEqual([3, 1, 28, 28]);
    expect([...data.train.labels, ...data.test.labels]).toEqual([1, 2, 9, 7, 0]);
    expect([data.train.inputs.data[0], data.test.inputs.data[0]]).toEqual([9, 8]);
    expect(data.classes[9]).toBe("Ankle boot");
  });

  it("takes the directory from FILIGREE_DATA when none is given", async () => {
    putIdx("mnist", true);
    process.env.FILIGREE_DATA = dir;
    expect((await loadDataset("mnist")).test.labels.length).toBe(2);
    await expectProblemLater(loadDataset("mnist", { dataDir: join(dir, "mnist/none") }), /none/);
  });

  it("says which files it expected, where, and what else could be done", async () => {
    const work = loadDataset("mnist", { dataDir: dir });
    await expectProblemLater(
      work,
      /^mnist: not in the data directory .*train-images-idx3-ubyte, .*t10k-labels.*\.gz.*mnist.*download/,
    );
  });

  it("offline, says how to do without the net", async () => {
    const work = loadDataset("mnist", { cacheDir: dir, mirrors: ["http://127.0.0.1:1/"] });
    await expectProblemLater(
      work,
      /^train-images-idx3-ubyte\.gz: cannot be downloaded \(http:\/\/127\.0\.0\.1:1\/.*; get the files of mnist \(train-.*--data-dir or FILIGREE_DATA$/,
    );
  });

  it("says what keeps its files from being read or its downloads from being kept", async () => {
    for (const name of ["train-images-idx3-ubyte", "train-labels-idx1-ubyte"])
      mkdirSync(join(dir, "mnist", name), { recursive: true });
    for (const name of ["t10k-images-idx3-ubyte", "t10k-labels-idx1-ubyte"])
      writeFileSync(join(dir, "mnist", name), "");
    await expectProblemLater(
      loadDataset("mnist", { dataDir: dir }),
      /^cannot read .*train-images-idx3-ubyte: this is a folder; expected a file$/,
    );
    const cacheDir = join(dir, "mnist", "t10k-images-idx3-ubyte");
    await expectProblemLater(
      loadDataset("mnist", { cacheDir, mirrors: ["http://127.0.0.1:1/"] }),
      /^cannot write .*train-images-idx3-ubyte\.gz: a part of this path is a file, not a folder$/,
    );
  });

  it("of several files that cannot be read, names the first, even where another fails sooner", async () => {
    mkdirSync(join(dir, "mnist", "train-labels-idx1-ubyte"), { recursive: true });
    for (const name of ["t10k-images-idx3-ubyte", "t10k-labels-idx1-ubyte"])
      writeFileSync(join(dir, "mnist", name), "");
    const cut = gzipSync(new Uint8Array(20_000_000)).subarray(0, -9);
    writeFileSync(join(dir, "mnist/train-images-idx3-ubyte.gz"), cut);
    await expectProblemLater(
      loadDataset("mnist", { dataDir: dir }),
      /^.*train-images-idx3-ubyte\.gz: the compressed data are damaged/,
    );
  });

  it("refuses files of the wrong kind by name", async () => {
    putIdx("mnist", false);
    writeFileSync(join(dir, "mnist/train-labels-idx1-ubyte"), idx([3, 1], Uint8Array.of(1, 2, 3)));
    await expectProblemLater(loadDataset("mnist", { dataDir: dir }), /train-labels.*rank 1.*\[3,1\]/);
    writeFileSync(join(dir, "mnist/train-labels-idx1-ubyte"), idx([4], Uint8Array.of(1, 2, 3, 4)));
    await expectProblemLater(loadDataset("mnist", { dataDir: dir }), /3 inputs but 4 labels/);
  });

  const batches = Object.fromEntries([
    ...[1, 2, 3, 4, 5].map((n) => [`data_batch_${n}.bin`, records([n, n])]),
    ["test_batch.bin", records([0])],
  ]) as Record<string, Buffer>;

  it("reads CIFAR-10 from its batches", async () => {
    mkdirSync(join(dir, "cifar-10-batches-bin"));
    for (const [name, bytes] of Object.entries(batches))
      writeFileSync(join(dir, "cifar-10-batches-bin", name), bytes);
    const { train, test } = await loadDataset("cifar10", { dataDir: dir });
    expect([...train.labels]).toEqual([1, 1, 2, 2, 3, 3, 4, 4, 5, 5]);
    expect([...test.labels]).toEqual([0]);
  });

  it("reads CIFAR-10 from its archive, whatever the order in it", async () => {
    const entries = Object.entries(batches)
      .reverse()
      .map(([name, data]) => ({ name: `cifar-10-batches-bin/${name}`, data: new Uint8Array(data) }));
    mkdirSync(join(dir, "cifar10"));
    const put = (files: typeof entries) =>
      writeFileSync(join(dir, "cifar10/cifar-10-binary.tar.gz"), gzipSync(createTar(files)));
    put(entries);
    const { train, inputShape } = await loadDataset("cifar10", { dataDir: dir });
    expect([...train.labels]).toEqual([1, 1, 2, 2, 3, 3, 4, 4, 5, 5]);
    expect(inputShape).toEqual([3, 32, 32]);
    put(entries.slice(1));
    await expectProblemLater(loadDataset("cifar10", { dataDir: dir }), /tar\.gz: holds no test_batch\.bin/);
  });

  it("reads its beginning from the two files of the subset", async () => {
    mkdirSync(join(dir, "cifar10_subset"));
    writeFileSync(join(dir, "cifar10_subset/train_first4000.bin"), records([4, 5]));
    writeFileSync(join(dir, "cifar10_subset/test_first1000.bin"), records([6]));
    const { train, test } = await loadDataset("cifar10", { dataDir: dir });
    expect([...train.labels, ...test.labels]).toEqual([4, 5, 6]);
  });

  it("makes glyphs without any file", async () => {
    expect((await loadDataset("glyphs")).train.labels.length).toBe(3000);
  });

  it("reads a folder of images", async () => {
    for (const name of ["a", "b"]) {
      mkdirSync(join(dir, name));
      for (let i = 0; i < 5; i++)
        writeFileSync(
          join(dir, name, `${i}.png`),
          encode({ width: 2, height: 2, channels: 1, data: new Uint8Array(4).fill(i) }),
        );
    }
    const data = await loadDataset(dir, { images: { channels: 1 } });
    expect([data.inputShape, data.train.labels.length, data.test.labels.length]).toEqual([[1, 2, 2], 8, 2]);
  });

  it("reads an .npz with x_train, y_train, x_test and y_test", async () => {
    const path = join(dir, "own.npz");
    const images = (n: number): Tensor => ({
      dtype: "uint8",
      shape: [n, 2, 3],
      data: new Uint8Array(n * 6).fill(51),
    });
    const labels = (...values: number[]): Tensor => ({
      dtype: "int64",
      shape: [values.length],
      data: BigInt64Array.from(values, BigInt),
    });
    const put = (arrays: Record<string, Tensor>) =>
      writeFileSync(path, writeNpz(new Map(Object.entries(arrays))));
    const arrays = { x_train: images(3), y_train: labels(0, 2, 1), x_test: images(1), y_test: labels(2) };
    put(arrays);
    const data = await loadDataset(path);
    expect(data).toMatchObject({ name: "own", classes: ["0", "1", "2"], inputShape: [1, 2, 3] });
    expect(data.scale.mean[0]).toBeCloseTo(0.2, 12);
    put({ ...arrays, y_test: labels(3) });
    await expectProblemLater(loadDataset(path), /test label 0 is 3/);
    put({ ...arrays, y_train: labels(0, 2 ** 33, 1) });
    await expectProblemLater(loadDataset(path), /train label 1 is -1/);
    put({ ...arrays, y_train: labels(0, 1_000_000_000, 1) });
    await expectProblemLater(loadDataset(path), /count classes from 0/);
    put({ ...arrays, x_train: images(0), y_train: labels() });
    await expectProblemLater(loadDataset(path), /there are no train samples; give at least one/);
    put({ x_train: images(1) });
    await expectProblemLater(loadDataset(path), /own\.npz: has no array y_train; found x_train/);
  });

  it.each(["int32", "int64"] as const)(
    "reads ids of an .npz, %s of any shape, as they are",
    async (dtype) => {
      const path = join(dir, "ids.npz");
      const put = (last: number) => {
        const values = [5, 0, -1, 70000, 2, last];
        const ids = (shape: number[]): Tensor =>
          dtype === "int32"
            ? { dtype, shape, data: Int32Array.from(values) }
            : { dtype, shape, data: BigInt64Array.from(values, BigInt) };
        const y: Tensor = { dtype: "uint8", shape: [3], data: Uint8Array.of(0, 1, 0) };
        const arrays = { x_train: ids([3, 1, 2]), y_train: y, x_test: ids([3, 1, 2]), y_test: y };
        writeFileSync(path, writeNpz(new Map(Object.entries(arrays))));
      };
      put(2 ** 31 - 1);
      const { train, scale, inputShape } = await loadDataset(path);
      expect(train.inputs).toMatchObject({ dtype: "int32", shape: [3, 1, 2] });
      expect([...train.inputs.data]).toEqual([5, 0, -1, 70000, 2, 2 ** 31 - 1]);
      expect({ scale, inputShape }).toEqual({ scale: { mean: [0], std: [1] }, inputShape: [1, 2] });
      if (dtype === "int32") return;
      put(2 ** 31);
      await expectProblemLater(
        loadDataset(path),
        /x_train holds 2147483648, which does not fit into an int32/,
      );
    },
  );

  it("names the first sample of an .npz that holds no finite number", async () => {
    const path = join(dir, "lost.npz");
    const split = (part: string, samples: number, lost?: number): [string, Tensor][] => {
      const data = new Float32Array(samples * 6).fill(0.5);
      if (lost !== undefined) data[8] = lost;
      return [
        [`x_${part}`, { dtype: "float32", shape: [samples, 2, 3], data }],
        [`y_${part}`, { dtype: "int32", shape: [samples], data: new Int32Array(samples) }],
      ];
    };
    const put = (...arrays: [string, Tensor][][]) => writeFileSync(path, writeNpz(new Map(arrays.flat())));
    put(split("train", 3, Number.NaN), split("test", 2));
    await expectProblemLater(loadDataset(path), /^lost: train sample 1 holds NaN; replace/);
    put(split("train", 3), split("test", 2, Number.NEGATIVE_INFINITY));
    await expectProblemLater(loadDataset(path), /^lost: test sample 1 holds -Infinity; replace/);
    put(split("train", 3), split("test", 2));
    expect((await loadDataset(path)).classes).toEqual(["0"]);
  });

  it("lists the names it knows when it knows neither name nor path", async () => {
    await expectProblemLater(
      loadDataset("mnits"),
      /mnits: no such data set.*mnist, fashion-mnist, cifar10, glyphs/,
    );
    writeFileSync(join(dir, "x.csv"), "");
    await expectProblemLater(loadDataset(join(dir, "x.csv")), /neither a folder of images nor an \.npz/);
    expect(DATASET_NAMES.length).toBe(4);
  });

  it.runIf(hasSharedData).each([
    ["mnist", 60000, 10000, 5e-5],
    ["fashion-mnist", 60000, 10000, 5e-5],
    // The registry's scale is that of all 50,000 images; these are 4,000.
    ["cifar10", 4000, 1000, 0.01],
  ])(
    "loads the real %s, and the registry's scale is what its pixels have",
    async (name, train, test, tolerance) => {
      const data = await loadDataset(name, { dataDir: SHARED_DATA });
      expect([data.train.labels.length, data.test.labels.length]).toEqual([train, test]);
      const { mean, std } = measureScale(data.train.inputs);
      const { scale } = REMOTE_DATASETS.find((d) => d.name === name)!;
      mean.forEach((m, c) => {
        expect(Math.abs(m - scale.mean[c])).toBeLessThan(tolerance);
      });
      std.forEach((s, c) => {
        expect(Math.abs(s - scale.std[c])).toBeLessThan(tolerance);
      });
    },
  );
});
