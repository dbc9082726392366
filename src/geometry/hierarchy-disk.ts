import type { Relations } from "../data/relations.ts";
import { ancestorsOf, directRelations } from "../data/relations.ts";
import { drawDisk } from "./disk.ts";
import type { Manifold, Vector } from "./manifold.ts";
import { poincarePoints } from "./poincare-points.ts";

/** Branches that have a colour of their own, and names that are written where there are too many for all. */
const BRANCHES = 7;
const NAMES = 14;
const ALL_NAMES_BELOW = 40;

/**
 * A hierarchy embedded in two dimensions, as an SVG file of the Poincaré disk: the node with most nodes below it in the
 * centre, its largest branches in colours, the most general names, or all where there are few.
 */
export function drawHierarchy(relations: Relations, manifold: Manifold, points: readonly Vector[]): string {
  const ancestors = ancestorsOf(relations);
  const below = new Uint32Array(points.length);
  for (const above of ancestors) for (const node of above) below[node]++;
  const general = Array.from(below.keys()).sort((a, b) => below[b] - below[a] || a - b);
  const [root] = general;
  const edges = directRelations(relations);
  const branches = edges
    .filter(([, parent]) => parent === root)
    .map(([child]) => child)
    .sort((a, b) => below[b] - below[a] || a - b)
    .slice(0, BRANCHES);
  const named = points.length < ALL_NAMES_BELOW ? general : general.slice(0, NAMES);
  return drawDisk({
    points: around(root, manifold, points),
    edges,
    groups: ancestors.map((above, node) => 1 + branches.findIndex((b) => b === node || above.includes(b))),
    labels: new Map(named.map((node) => [node, relations.names[node]])),
  });
}

/** The points in the disk, moved by the isometry that takes one of them to the centre. */
function around(center: number, manifold: Manifold, points: readonly Vector[]): [number, number][] {
  const disk = poincarePoints();
  const inDisk = points.map((point) => {
    const p = new Float64Array(2);
    manifold.toBall(point, p);
    disk.project(p);
    return p;
  });
  const origin = inDisk[center];
  return inDisk.map((p) => {
    const v = new Float64Array(2);
    const distance = disk.log(origin, p, v);
    const size = Math.hypot(...v);
    const at = new Float64Array(2);
    if (size > 0)
      disk.fromOrigin(
        v.map((a) => (a * distance) / size),
        at,
      );
    return [at[0], at[1]];
  });
}
