import type { Relations } from "../../src/data/relations.ts";
import { ancestorsOf, directRelations } from "../../src/data/relations.ts";
import { drawDisk } from "../../src/geometry/disk.ts";
import { poincarePoints } from "../../src/geometry/poincare-points.ts";

/** Kinds of mammals that have a colour, and names that are written beside their points. */
const KINDS = ["carnivore", "ungulate", "rodent", "primate", "aquatic_mammal", "bat", "marsupial"];
const NAMED = ["mammal", "placental", "canine", "feline", "dog", "bear", "equine", "bovid", "deer", "seal"];

/** The disk of an embedding in two dimensions, all coordinates one after the other, with the root moved to the centre. */
export function drawMammals(relations: Relations, coordinates: Float64Array): string {
  const disk = poincarePoints();
  const points = relations.names.map((_, i) => coordinates.slice(2 * i, 2 * i + 2));
  const root = ancestorsOf(relations).findIndex((above) => above.length === 0);
  const center = points[root];
  const moved = points.map((p) => {
    const v = new Float64Array(2);
    disk.log(center, p, v);
    // A tangent vector at the centre, in lengths; the map from the origin takes those.
    const scale = 2 / (1 - center[0] ** 2 - center[1] ** 2);
    disk.fromOrigin(
      v.map((a) => a * scale),
      v,
    );
    return [v[0], v[1]] as const;
  });
  const wordOf = (i: number) => relations.names[i].split(".")[0];
  const ancestors = ancestorsOf(relations);
  const kindOf = (i: number) => {
    const words = new Set([i, ...ancestors[i]].map(wordOf));
    return 1 + KINDS.findIndex((kind) => words.has(kind));
  };
  return drawDisk({
    points: moved,
    edges: directRelations(relations),
    groups: points.map((_, i) => kindOf(i)),
    labels: new Map(
      points.flatMap((_, i) =>
        [...KINDS, ...NAMED].includes(wordOf(i)) ? [[i, wordOf(i).replaceAll("_", " ")] as const] : [],
      ),
    ),
  });
}
