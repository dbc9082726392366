import type { Graph } from "../../engine/graph.ts";
import { Problem } from "../../problem.ts";
import type { LabelledPart } from "../groups.ts";
import type { GroupSet } from "./group-set.ts";

/** Groups by hand: for each set a list of groups, each of them the elements of parameters that it holds. */
export type CustomGroups = Readonly<Record<string, readonly Readonly<Record<string, readonly number[]>>[]>>;

/**
 * Sets from lists of element numbers (row-major, from 0). Throws a `Problem` that names parameter, element and groups where
 * an element does not exist or belongs to two groups, of one set or of two.
 */
export function customGroups(graph: Graph, custom: CustomGroups): GroupSet[] {
  const owners = new Map<string, Map<number, string>>();
  return Object.entries(custom).map(([name, groups]) => {
    if (groups.length === 0) throw new Problem(`groups: "${name}" has no groups; list at least one`);
    const labels = new Map<string, Int32Array>();
    groups.forEach((group, j) => {
      const own = `group ${j} of "${name}"`;
      let size = 0;
      for (const [parameter, elements] of Object.entries(group)) {
        const t = graph.parameters.get(parameter);
        if (!t)
          throw new Problem(
            `groups: ${own} names "${parameter}", which is no parameter; there are ${[...graph.parameters.keys()].join(", ")}`,
          );
        const owner = owners.get(parameter) ?? new Map<number, string>();
        owners.set(parameter, owner);
        const label = labels.get(parameter) ?? new Int32Array(t.data.length).fill(-1);
        labels.set(parameter, label);
        for (const i of elements) {
          if (!Number.isInteger(i) || i < 0 || i >= t.data.length)
            throw new Problem(
              `groups: ${own} takes element ${i} of "${parameter}", which has elements 0 to ${t.data.length - 1}`,
            );
          const other = owner.get(i);
          if (other)
            throw new Problem(
              `groups: ${own} and ${other} both take element ${i} of "${parameter}"; groups must be disjoint`,
            );
          owner.set(i, own);
          label[i] = j;
        }
        size += elements.length;
      }
      if (size === 0) throw new Problem(`groups: ${own} is empty; give it an element or leave it out`);
    });
    const parts = [...labels].map(([parameter, label]): LabelledPart => ({ parameter, labels: label }));
    return { name, layers: parts.map((p) => p.parameter), partition: { groups: groups.length, parts } };
  });
}
