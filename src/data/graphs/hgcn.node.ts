import { existsSync } from "node:fs";
import { readFile } from "node:fs/promises";
import { join } from "node:path";
import type { Tensor } from "../../engine/tensor.ts";
import { zeros } from "../../engine/tensor.ts";
import { Problem } from "../../problem.ts";
import { fileProblem } from "../file-problem.node.ts";
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
 * `feat_col4_raw.npy`. Self loops and repeated edges are dropped. Throws a `Problem` that names file and line of what is no
 * number, or the number of no node.
 */
export async function readHgcn(folder: string, name: string): Promise<HgcnGraph> {
  const file = (part: string) => join(folder, name, part);
  if (!existsSync(file("edges.tsv")))
    throw new Problem(`no graph "${name}" in ${folder}: ${file("edges.tsv")} is missing`);
  const labels = Int32Array.from(await integers(file("labels.txt")));
  const ids = async (part: string, columns = 1) =>
    Uint32Array.from(await integers(file(part), columns, labels.length));
  const edges = await ids("edges.tsv", 2);
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
        train: await ids("split_train.txt"),
        validation: await ids("split_val.txt"),
        test: await ids("split_test.txt"),
      },
    }),
    ...(extra && { extra: Float32Array.from(extra.data as Float64Array) }),
  };
}

/** Whole numbers, so many a line and all below a limit, from a text file; empty lines and comments (#) are left out. */
async function integers(path: string, columns = 1, below = Number.POSITIVE_INFINITY): Promise<number[]> {
  const text = await readFile(path, "utf8").catch((error) => {
    throw fileProblem("read", path, error);
  });
  return text.split("\n").flatMap((line, i) => {
    if (line.trim() === "" || line.startsWith("#")) return [];
    const numbers = line.trim().split(/\s+/).map(Number);
    const wrong = (what: string) => new Problem(`${path}, line ${i + 1}: ${what}`);
    if (numbers.length !== columns || !numbers.every((n) => Number.isInteger(n) && n >= 0))
      throw wrong(
        `expected ${columns === 1 ? "a whole number" : "two whole numbers"}, found "${line.trim()}"`,
      );
    const beyond = numbers.find((n) => n >= below);
    if (beyond !== undefined)
      throw wrong(`there is no node ${beyond}; labels.txt has ${below} nodes, from 0`);
    return numbers;
  });
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
