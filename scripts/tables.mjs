// Writes the tables of docs/*.md between `<!-- name -->` and `<!-- end name -->` from docs/results/*.json, so that no figure
// is typed by hand; tables/<page>.mjs says how. `--check` changes nothing and fails where a table is not what the results say.
import { existsSync, readdirSync, readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";

const pages = join(import.meta.dirname, "tables");
const docs = join(import.meta.dirname, "..", "docs");
const check = process.argv.includes("--check");

/** The page with this table filled in; what has not been run has no figures. */
function fill(text, page, key, [results, render]) {
  const [start, end] = [`<!-- ${key} -->\n`, `<!-- end ${key} -->`];
  const [from, to] = [text.indexOf(start) + start.length, text.indexOf(end)];
  if (to < from) throw new Error(`${page}: no table "${key}"`);
  const source = join(docs, "results", `${results}.json`);
  const figures = existsSync(source) ? `${render(JSON.parse(readFileSync(source, "utf8")))}\n` : "";
  return `${text.slice(0, from)}${figures}${text.slice(to)}`;
}

let stale = false;
for (const file of readdirSync(pages).filter((name) => name !== "format.mjs")) {
  const { TABLES } = await import(join(pages, file));
  const page = file.replace(".mjs", ".md");
  const path = join(docs, page);
  for (const [key, table] of Object.entries(TABLES)) {
    const text = readFileSync(path, "utf8");
    const filled = fill(text, page, key, table);
    if (filled === text) continue;
    stale = true;
    if (check) console.error(`docs/${page}: table "${key}" is not what docs/results/${table[0]}.json says`);
    else writeFileSync(path, filled);
  }
}
if (check && stale) {
  console.error("write them anew: npm run tables");
  process.exit(1);
}
