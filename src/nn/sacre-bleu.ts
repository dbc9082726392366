import { corpusBleu } from "./bleu.ts";

/**
 * Corpus BLEU-4 in percent as sacreBLEU's defaults have it (Post 2018), for figures that can be set beside published ones:
 * sentences as they are written, in tokens by the rules `13a` of mteval, exponential smoothing. Each hypothesis has one
 * reference or more.
 */
export function sacreBleu(hypotheses: readonly string[], references: readonly (readonly string[])[]): number {
  return corpusBleu(
    hypotheses.map(tokenize13a),
    references.map((several) => several.map(tokenize13a)),
    { smoothing: "exp" },
  );
}

const ENTITIES = { "&quot;": '"', "&amp;": "&", "&lt;": "<", "&gt;": ">" };

/**
 * Tokens of a sentence by the rules of NIST's mteval, version 13a: ASCII's signs stand alone, but apostrophes stay where
 * they are, points and commas between digits too, and a hyphen parts only from a digit before it.
 */
export function tokenize13a(sentence: string): string[] {
  let text = sentence.replaceAll("<skipped>", "").replaceAll("-\n", "");
  for (const [entity, sign] of Object.entries(ENTITIES)) text = text.replaceAll(entity, sign);
  return ` ${text} `
    .replace(/[!-&(-+/:-@[-`{-~]/g, " $& ")
    .replace(/([^0-9])([.,])/g, "$1 $2 ")
    .replace(/([.,])([^0-9])/g, " $1 $2")
    .replace(/([0-9])-/g, "$1 - ")
    .split(/\s+/)
    .filter((token) => token !== "");
}
