import { existsSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { expect, test } from "vitest";
import { ACTIONS } from "../../protocols/support/sparsey/actions.ts";
import { readNpz, writeNpz } from "../../src/data/npz.ts";
import type { Tensor } from "../../src/engine/tensor.ts";
import { clipsFromNpz } from "../../src/memory/encoders/clips.ts";
import { videoEdges } from "../../src/memory/encoders/images.ts";
import { expectProblem, SHARED_DATA } from "../data/support.ts";

/** Two clips of 3 and 5 frames of 2×3 pixels; every pixel of frame t is t. */
function archive(changes: Record<string, Tensor | undefined> = {}): Map<string, Tensor> {
  const arrays: Record<string, Tensor | undefined> = {
    frames: {
      dtype: "uint8",
      shape: [8, 2, 3],
      data: Uint8Array.from({ length: 48 }, (_, i) => Math.floor(i / 6)),
    },
    offsets: { dtype: "int32", shape: [3], data: Int32Array.of(0, 3, 8) },
    label: { dtype: "uint8", shape: [2], data: Uint8Array.of(1, 0) },
    person: { dtype: "uint8", shape: [2], data: Uint8Array.of(4, 7) },
    ...changes,
  };
  return new Map(Object.entries(arrays).filter((entry): entry is [string, Tensor] => entry[1] !== undefined));
}
const shown = ({ frames }: ReturnType<typeof clipsFromNpz>[number]) => frames.map(({ data }) => data[0]);

test("clips are cut where they begin, with class and person, through a file and back", () => {
  const clips = clipsFromNpz(readNpz(writeNpz(archive())));
  expect(clips.map(({ label, person }) => [label, person])).toEqual([
    [1, 4],
    [0, 7],
  ]);
  expect(clips.map(shown)).toEqual([
    [0, 1, 2],
    [3, 4, 5, 6, 7],
  ]);
  const { width, height, data } = clips[1].frames[2];
  expect([width, height, ...Array.from(data)]).toEqual([3, 2, 5, 5, 5, 5, 5, 5]);
});

test("clips are thinned out evenly, and short ones repeat frames", () => {
  const clips = clipsFromNpz(archive(), { length: 4 });
  expect(clips.map(shown)).toEqual([
    [0, 0, 1, 2],
    [3, 4, 5, 6],
  ]);
});

test("arrays that are missing or do not fit are named", () => {
  const offsets = (...at: number[]): Tensor => ({
    dtype: "int32",
    shape: [at.length],
    data: Int32Array.from(at),
  });
  expectProblem(
    () => clipsFromNpz(archive({ person: undefined }), { name: "a.npz" }),
    /a\.npz: there is no array "person"/,
  );
  expectProblem(() => clipsFromNpz(archive({ offsets: offsets(0, 8) })), /2 offsets, 2 labels and 2 persons/);
  expectProblem(
    () => clipsFromNpz(archive({ offsets: offsets(0, 3, 9) })),
    /clip 1 goes from frame 3 to 9 of 8/,
  );
  expectProblem(() => clipsFromNpz(archive({ offsets: offsets(0, 0, 8) })), /clip 0 goes from frame 0 to 0/);
  const flat: Tensor = { dtype: "uint8", shape: [48], data: new Uint8Array(48) };
  expectProblem(() => clipsFromNpz(archive({ frames: flat })), /frames are uint8 \[48\]/);
});

const folder = join(SHARED_DATA, "weizmann_actions");
test.skipIf(!existsSync(folder))(
  "Weizmann's clips are those of the list beside them; edges where something moves",
  () => {
    const list = readFileSync(join(folder, "clips.tsv"), "utf8").trim().split("\n").slice(1);
    const clips = clipsFromNpz(readNpz(readFileSync(join(folder, "weizmann_4x9_gray64.npz"))));
    const named = clips.map(({ label, person, frames }) => `p${person}_${ACTIONS[label]}\t${frames.length}`);
    expect(named.sort()).toEqual(list.map((row) => row.split("\t").slice(0, 2).join("\t")).sort());
    expect(named).toHaveLength(36);
    const edges = videoEdges(clips[5].frames.slice(0, 8), 120);
    for (const active of edges) {
      expect(active.length).toBeGreaterThan(20);
      expect(active.length).toBeLessThanOrEqual(120);
    }
    const still = videoEdges(new Array(8).fill(clips[5].frames[0]), 120);
    expect(still.flat()).toEqual([]);
  },
);
