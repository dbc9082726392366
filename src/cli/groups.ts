import { readCustomGroups } from "../runs/custom-groups.ts";
import { readBytes } from "../runs/files.node.ts";
import type { GroupChoice } from "../sparsity/groups/kinds.ts";
import { parseKind } from "../sparsity/groups/kinds.ts";

/** Throws a `Problem` where a text names neither a kind of group nor a file of lists. */
export function checkGroups(text: string): void {
  if (!text.endsWith(".json")) parseKind(text);
}

/** A kind by name, or the lists in a file. */
export async function readGroups(text = "filter"): Promise<GroupChoice> {
  if (!text.endsWith(".json")) return text as GroupChoice;
  const bytes = await readBytes(text);
  return readCustomGroups(new TextDecoder().decode(bytes), text);
}
