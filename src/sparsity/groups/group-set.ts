import type { GroupPartition } from "../groups.ts";
import type { ResidualBranch } from "./branches.ts";

/** Groups of weights of one kind that compete with each other: a layer's, or those of several layers that are tied together. */
export interface GroupSet {
  /** The layer, or the first of several; people name it in `--keep`. */
  name: string;
  /** All layers that lose something with a group. */
  layers: readonly string[];
  partition: GroupPartition;
  /** The stream whose channels the groups are; absent where a zero group leaves every shape as it is. */
  stream?: string;
  /** The residual branches that the groups are. */
  branches?: readonly ResidualBranch[];
}

/** Gives sets of one name a number: `conv2`, `conv2:2`. */
export function nameApart<T extends { name: string }>(items: readonly T[]): T[] {
  const used = new Set<string>();
  return items.map((item) => {
    let name = item.name;
    for (let i = 2; used.has(name); i++) name = `${item.name}:${i}`;
    used.add(name);
    return { ...item, name };
  });
}
