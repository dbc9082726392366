import { readFileSync } from "node:fs";
import { join } from "node:path";
import { describe, expect, it } from "vitest";
import { readCifar10 } from "../../src/data/cifar.ts";
import { expectProblem, hasSharedData, SHARED_DATA } from "./support.ts";

function record(label: number, fill: number): number[] {
  return [label, ...Array.from({ length: 3072 }, (_, i) => (fill + Math.floor(i / 1024)) & 255)];
}

describe("readCifar10", () => {
  it("splits records of several files into labels and planes", () => {
    const a = { name: "a", bytes: Uint8Array.from([...record(3, 10), ...record(9, 20)]) };
    const b = { name: "b", bytes: Uint8Array.from(record(0, 30)) };
    const { inputs, labels } = readCifar10([a, b]);
    expect(inputs.shape).toEqual([3, 3, 32, 32]);
    expect([...labels]).toEqual([3, 9, 0]);
    expect([0, 1024, 2048, 3072, 2 * 3072 + 2048].map((i) => inputs.data[i])).toEqual([10, 11, 12, 20, 32]);
  });

  it("names the file and the record at fault", () => {
    const bytes = Uint8Array.from([...record(3, 1), ...record(10, 1)]);
    expectProblem(() => readCifar10([{ name: "b.bin", bytes }]), /b\.bin.*record 1.*label 10/);
    expectProblem(() => readCifar10([{ name: "c", bytes: bytes.subarray(1) }]), /c.*6145 bytes.*3073/);
    expectProblem(() => readCifar10([{ name: "c", bytes: new Uint8Array() }]), /0 bytes/);
  });

  it.runIf(hasSharedData)("reads real records: labels, first pixels and class counts as published", () => {
    const name = "train_first4000.bin";
    const bytes = readFileSync(join(SHARED_DATA, "cifar10_subset", name));
    const { inputs, labels } = readCifar10([{ name, bytes }]);
    expect([...labels.slice(0, 5)]).toEqual([6, 9, 9, 4, 1]);
    expect([0, 1024, 2048, 1, 1025, 2049].map((i) => inputs.data[i])).toEqual([59, 62, 63, 43, 46, 45]);
    const counts = new Array(10).fill(0);
    for (const label of labels) counts[label]++;
    expect(counts).toEqual([396, 366, 420, 384, 422, 393, 414, 385, 407, 413]);
  });
});
