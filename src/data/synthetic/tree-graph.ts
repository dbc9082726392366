import { zeros } from "../../engine/tensor.ts";
import { deriveSeed, type Random, random } from "../../random.ts";
import type { GraphData } from "../graphs/graph-data.ts";

export interface TreeGraphOptions {
  nodes?: number;
  /**
   * `links`: 1–4 children a node, features that drift from parent to child (sst.md P3b). `classes`: 2–4 children, four
   * classes by the branch at depth 2, features that drift fast above it and slowly below (sst.md P4). Default `links`.
   */
  task?: "links" | "classes";
  /** Features without meaning beside the 11 heritable ones; all are rotated together. Default 53. */
  nuisance?: number;
  seed?: number;
}

const HERITABLE = 11;
const CLASSES = 4;

/** A random tree whose features are inherited with noise: a graph with hierarchy that needs no download. */
export function treeGraph({
  nodes = 1000,
  task = "links",
  nuisance = 53,
  seed = 0,
}: TreeGraphOptions = {}): GraphData {
  const rng = random(deriveSeed(seed, "tree"));
  const links = task === "links";
  const { parents, depths, branches } = growTree(nodes, links ? 1 : 2, links, rng);
  const width = HERITABLE + nuisance;
  const hidden = zeros([nodes, HERITABLE]);
  parents.forEach((parent, node) => {
    const step = links ? 1 : depths[node] <= 2 ? 2 : 0.7;
    for (let i = 0; i < HERITABLE; i++)
      hidden.data[node * HERITABLE + i] =
        (parent < 0 ? 0 : hidden.data[parent * HERITABLE + i]) +
        (parent < 0 && links ? 0 : step * rng.normal());
  });
  const meanSquare = hidden.data.reduce((sum, v) => sum + v * v, 0) / hidden.data.length;
  const scale = links ? 1 / Math.sqrt(meanSquare) : 1;
  const rotation = randomRotation(width, rng);
  const features = zeros([nodes, width]);
  for (let node = 0; node < nodes; node++) {
    const row = Float64Array.from({ length: width }, (_, i) =>
      i < HERITABLE
        ? scale * hidden.data[node * HERITABLE + i] + (links ? 0 : rng.normal())
        : 2 * rng.normal(),
    );
    for (let i = 0; i < width; i++)
      features.data[node * width + i] = rotation[i].reduce((sum, v, k) => sum + v * row[k], 0);
  }
  return {
    name: `tree-${task}`,
    nodes,
    edges: Uint32Array.from(parents.flatMap((parent, node) => (parent < 0 ? [] : [parent, node]))),
    features,
    labels: Int32Array.from(branches, (branch) => (branch < 0 ? 0 : branch % CLASSES)),
    classes: CLASSES,
  };
}

/** Node by node: its parent (−1 for the root, node 0), its depth, and which of the nodes at depth 2 it descends from. */
function growTree(nodes: number, least: number, halveAlways: boolean, rng: Random) {
  const parents = [-1];
  const depths = [0];
  const branches = [-1];
  let branchCount = 0;
  let frontier = [0];
  while (parents.length < nodes) {
    const grown: number[] = [];
    for (const parent of frontier) {
      const children = least + rng.integer(5 - least);
      for (let k = 0; k < children && parents.length < nodes; k++) {
        const depth = depths[parent] + 1;
        grown.push(parents.length);
        parents.push(parent);
        depths.push(depth);
        branches.push(depth < 2 ? -1 : depth === 2 ? branchCount++ : branches[parent]);
      }
    }
    const order = [...rng.permutation(grown.length)].map((i) => grown[i]);
    const keep = halveAlways || grown.length > 20 ? Math.max(2, grown.length >> 1) : grown.length;
    frontier = order.slice(0, keep);
  }
  return { parents, depths, branches };
}

/** A random orthogonal matrix, uniformly distributed: Gram–Schmidt on normal rows. */
function randomRotation(n: number, rng: Random): Float64Array[] {
  const rows: Float64Array[] = [];
  for (let i = 0; i < n; i++) {
    const row = Float64Array.from({ length: n }, () => rng.normal());
    for (const earlier of rows) {
      const along = row.reduce((sum, v, k) => sum + v * earlier[k], 0);
      for (let k = 0; k < n; k++) row[k] -= along * earlier[k];
    }
    const size = Math.hypot(...row);
    rows.push(row.map((v) => v / size));
  }
  return rows;
}
