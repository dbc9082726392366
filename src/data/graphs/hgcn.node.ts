import { existsSync } from "node:fs";
import { readFile } from "node:fs/promises";
import { join } from "node:path";
import type { Tensor } from "../../engine/tensor.ts";
import { zeros } from "../../engine/tensor.ts";
import { Problem } from "../../problem.ts";
import { readNpy } from "../npy.ts";
import { readNpz } from "../npz.ts";
import type { GraphData, NodeSplit } from "./graph-data.ts";
import { uniqueEdges } from "./graph-data.ts";

/** A graph of the HGCN collection, with what its folder holds besides. */
export interface HgcnGraph extends GraphData {
  /** Planetoid's public split, where there is one. */
  split?: NodeSplit;
  /** Airport's fifth column, what its labels are binned from: HGCN uses it in link prediction, not in classification. */
  extra?: Float32Array;
}

/**
 * Reads one folder of the collection: `edges.tsv` (two ids a line), `labels.txt` (one class a line), and, where present,
 * `features.npy` or `features_csr.npz` (data, indices, indptr, shape), `split_{train,val,test}.txt` (ids) and
 * `feat_col4_raw.npy`. Self loops and repeated edges are dropped.
 */
export async function readHgcn(folder: string, name: string): Promise<HgcnGraph> {
  const file = (part: string) => join(folder, name, part);
  if (!existsSync(file("edges.tsv")))
    throw new Problem(`no graph "${name}" in ${folder}: ${file("edges.tsv")} is missing`);
  const lines = async (part: string) =>
    (await readFile(file(part), "utf8")).split("\n").filter((l) => l.trim() && !l.startsWith("#"));
  const integers = async (part: string) => Uint32Array.from(await lines(part), Number);
  const labels = Int32Array.from(await lines("labels.txt"), Number);
  const edges = Uint32Array.from((await lines("edges.tsv")).flatMap((l) => l.split("\t").map(Number)));
  const array = async (part: string) =>
    existsSync(file(part)) ? readNpy(await readFile(file(part)), file(part)) : undefined;
  const extra = await array("feat_col4_raw.npy");
  return {
    name,
    nodes: labels.length,
    edges: uniqueEdges(edges),
    labels,
    classes: 1 + labels.reduce((a, b) => Math.max(a, b), 0),
    features: ((await array("features.npy")) ?? (await sparseFeatures(file("features_csr.npz")))) as
      | Tensor<"float32">
      | undefined,
    ...(existsSync(file("split_train.txt")) && {
      split: {
        train: await integers("split_train.txt"),
        validation: await integers("split_val.txt"),
        test: await integers("split_test.txt"),
      },
    }),
    ...(extra && { extra: Float32Array.from(extra.data as Float64Array) }),
  };
}

async function sparseFeatures(path: string): Promise<Tensor<"float32"> | undefined> {
  if (!existsSync(path)) return undefined;
  const arrays = readNpz(await readFile(path), path);
  const [data, indices, pointers, shape] = ["data", "indices", "indptr", "shape"].map((part) => {
    const found = arrays.get(part);
    if (!found) throw new Problem(`${path}: a sparse matrix needs the array "${part}"`);
    return Array.from(found.data as Float64Array, Number);
  });
  const out = zeros(shape);
  for (let row = 0; row < shape[0]; row++)
    for (let e = pointers[row]; e < pointers[row + 1]; e++) out.data[row * shape[1] + indices[e]] = data[e];
  return out;
}
