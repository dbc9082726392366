import { buffer } from "node:stream/consumers";
import { textEncoder } from "../memory/encoders/values.ts";
import { Problem } from "../problem.ts";
import { readBytes } from "../runs/files.node.ts";

/** What a memory takes from a file at a time: a line, or a sequence of lines. */
export interface Episode {
  patterns: number[][];
  lines: string[];
  /** Of the last line that has one. */
  label?: string;
}

/** How lines become patterns. */
export interface Source {
  inputs: number;
  /** `text`; anything else: numbers of inputs. */
  encoder?: string;
}

/**
 * The lines of a file as patterns: each an episode of its own, or up to the next empty line. The file `-` is standard
 * input.
 */
export async function readEpisodes(file: string, source: Source, sequences: boolean): Promise<Episode[]> {
  const { inputs, encoder } = source;
  const name = file === "-" ? "standard input" : file;
  const bytes = file === "-" ? await buffer(process.stdin) : await readBytes(file);
  const text = textEncoder({ size: inputs });
  const episodes: Episode[] = [];
  let current: Episode | undefined;
  for (const [i, line] of new TextDecoder().decode(bytes).split(/\r?\n/).entries()) {
    if (line.trim() === "") {
      current = undefined;
      continue;
    }
    const tab = line.indexOf("\t");
    const item = line.slice(tab + 1);
    const pattern =
      encoder === "text" ? text.encode(item) : parsePattern(item, `${name}: line ${i + 1}`, inputs);
    if (!current || !sequences) episodes.push((current = { patterns: [], lines: [] }));
    current.patterns.push(pattern);
    current.lines.push(item);
    if (tab >= 0) current.label = line.slice(0, tab);
  }
  if (episodes.length === 0) throw new Problem(`${name}: holds no items; write one a line`);
  return episodes;
}

/** Numbers of inputs, apart by spaces or commas, each below `inputs` and there once. */
export function parsePattern(text: string, where: string, inputs: number): number[] {
  const words = text.split(/[\s,]+/).filter(Boolean);
  if (words.length === 0)
    throw new Problem(`${where}: no active inputs; expected their numbers, like 3 17 42`);
  const pattern = new Set<number>();
  for (const word of words) {
    if (!/^\d+$/.test(word))
      throw new Problem(
        `${where}: "${word.slice(0, 40)}" is not the number of an input; expected numbers like 3 17 42`,
      );
    const input = Number(word);
    if (input >= inputs)
      throw new Problem(`${where}: there is no input ${input}; there are 0 to ${inputs - 1}`);
    if (pattern.has(input)) throw new Problem(`${where}: input ${input} is there twice`);
    pattern.add(input);
  }
  return Array.from(pattern);
}
