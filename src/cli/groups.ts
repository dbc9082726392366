import { InvalidArgumentError, Option } from "commander";
import { Problem } from "../problem.ts";
import { parseBudget } from "../runs/budget.ts";
import { readCustomGroups } from "../runs/custom-groups.ts";
import { readBytes } from "../runs/files.node.ts";
import type { GroupChoice } from "../sparsity/groups/kinds.ts";
import { GROUP_KINDS, parseKinds } from "../sparsity/groups/kinds.ts";
import { wholeNumber } from "./command.ts";

/** Options that say which groups there are and how many of them stay. */

export const keepOption = () =>
  new Option("--keep <groups>", "share of every layer's groups (0.3), or counts (conv1=6,fc1=100)").argParser(
    parseKeep,
  );

export const budgetOption = () =>
  new Option(
    "--budget <what=amount>",
    "what the whole network may cost: groups, parameters, macs, bytes or ms, as a share (macs=0.2, ms=60%) or an amount (bytes=50kB, ms@64=2.5 for a batch of 64)",
  ).argParser(checked(parseBudget));

export const groupsOption = () =>
  new Option(
    "--groups <kind>",
    `${GROUP_KINDS.join(", ")} (block:8x4 with the tiles' size), several at once (head,neuron), or a .json file with lists; default filter`,
  ).argParser(checked(checkGroups));

export const roundOption = () =>
  new Option(
    "--round <n>",
    "keep a multiple of n groups in every layer, as fast kernels like it (8); default 1",
  ).argParser(wholeNumber(1));

export const excludeOption = () =>
  new Option(
    "--exclude <layers>",
    "layers that keep all their groups, with commas, and with them those that are tied to theirs",
  ).argParser((text: string): string[] => text.split(",").map((name) => name.trim()));

/** Refuses a command line that does not say how small, or says it twice. */
export function requireSize(
  { keep, budget }: { keep?: unknown; budget?: unknown },
  { orNeither = false } = {},
): void {
  if (keep === undefined && budget === undefined && !orNeither)
    throw new InvalidArgumentError("say how small: --keep or --budget, e.g. --keep 0.3");
  if (keep !== undefined && budget !== undefined)
    throw new InvalidArgumentError("--keep and --budget both say how small; give one of them");
}

/** Throws a `Problem` where a text names neither a kind of group nor a file of lists. */
function checkGroups(text: string): void {
  if (!text.endsWith(".json")) parseKinds(text);
}

/** A kind by name, or the lists in a file. */
export async function readGroups(text = "filter"): Promise<GroupChoice> {
  if (!text.endsWith(".json")) return text as GroupChoice;
  const bytes = await readBytes(text);
  return readCustomGroups(new TextDecoder().decode(bytes), text);
}

function parseKeep(text: string): number | Record<string, number> {
  const share = Number(text);
  if (text !== "" && Number.isFinite(share)) {
    if (share > 0 && share <= 1) return share;
    throw new InvalidArgumentError(
      "expected a share above 0 and at most 1, such as 0.3, or counts such as conv1=6",
    );
  }
  const counts: Record<string, number> = Object.create(null);
  for (const part of text.split(",")) {
    const match = /^(.+)=(\d+)$/.exec(part.trim());
    if (!match || Number(match[2]) < 1)
      throw new InvalidArgumentError(
        `"${part}" is not layer=count with a count of at least 1, such as conv1=6`,
      );
    if (Object.hasOwn(counts, match[1])) throw new InvalidArgumentError(`"${match[1]}" is there twice`);
    counts[match[1]] = Number(match[2]);
  }
  return counts;
}

/** For `.option`: the text itself where `parse` takes it. */
function checked(parse: (text: string) => unknown): (text: string) => string {
  return (text) => {
    try {
      parse(text);
      return text;
    } catch (error) {
      throw error instanceof Problem ? new InvalidArgumentError(error.message) : error;
    }
  };
}
