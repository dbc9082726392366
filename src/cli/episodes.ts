import { textEncoder } from "../memory/encoders/values.ts";
import type { Memory } from "../memory/memory.ts";
import { Problem } from "../problem.ts";
import { readBytes } from "../runs/files.node.ts";

/** What a memory takes from a file at a time: a line, or a sequence of lines. */
export interface Episode {
  patterns: number[][];
  lines: string[];
  /** Of the last line that has one. */
  label?: string;
}

/** The lines of a file as patterns for this memory: each an episode of its own, or up to the next empty line. */
export async function readEpisodes(file: string, memory: Memory, sequences: boolean): Promise<Episode[]> {
  const { inputs, notes } = memory.options;
  const text = textEncoder({ size: inputs });
  const episodes: Episode[] = [];
  let current: Episode | undefined;
  for (const [i, line] of new TextDecoder()
    .decode(await readBytes(file))
    .split(/\r?\n/)
    .entries()) {
    if (line.trim() === "") {
      current = undefined;
      continue;
    }
    const tab = line.indexOf("\t");
    const item = line.slice(tab + 1);
    const pattern =
      notes?.encoder === "text" ? text.encode(item) : parsePattern(item, `${file}: line ${i + 1}`);
    if (!current || !sequences) episodes.push((current = { patterns: [], lines: [] }));
    current.patterns.push(pattern);
    current.lines.push(item);
    if (tab >= 0) current.label = line.slice(0, tab);
  }
  if (episodes.length === 0) throw new Problem(`${file}: holds no items; write one a line`);
  return episodes;
}

/** Numbers of inputs, apart by spaces or commas. */
export function parsePattern(text: string, where: string): number[] {
  return text
    .trim()
    .split(/[\s,]+/)
    .map((word) => {
      if (!/^\d+$/.test(word))
        throw new Problem(
          `${where}: "${word.slice(0, 40)}" is not the number of an input; expected numbers like 3 17 42`,
        );
      return Number(word);
    });
}
