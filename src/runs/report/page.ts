import type { Content, Html } from "./html.ts";
import { html, raw } from "./html.ts";

export interface Section {
  heading: string;
  /** What the reader sees there, in a sentence or two. */
  note?: string;
  content: Content;
}

export interface PageOptions {
  title: string;
  /** One line under the title. */
  subtitle?: string;
  sections: readonly Section[];
}

/** A whole page in one file: nothing loaded from elsewhere, light and dark, no script but what a section brings. */
export function page({ title, subtitle, sections }: PageOptions): string {
  const body = html`<!doctype html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<title>${title}</title>
<style>${raw(STYLE)}</style>
</head>
<body>
<header><h1>${title}</h1>${subtitle ? html`<p>${subtitle}</p>` : ""}</header>
<main>
${sections.map(section)}
</main>
</body>
</html>
`;
  return body.html;
}

function section({ heading, note, content }: Section): Html {
  return html`<section><h2>${heading}</h2>${note ? html`<p>${note}</p>` : ""}${content}</section>
`;
}

export interface HtmlTable {
  columns: readonly { heading: string; align?: "left" | "right" }[];
  rows: readonly (readonly Content[])[];
}

export function htmlTable({ columns, rows }: HtmlTable): Html {
  const className = (i: number) => (columns[i].align === "right" ? "number" : "text");
  return html`<div class="scroll"><table>
<thead><tr>${columns.map((c, i) => html`<th class="${className(i)}">${c.heading}</th>`)}</tr></thead>
<tbody>
${rows.map((row) => html`<tr>${row.map((cell, i) => html`<td class="${className(i)}">${cell}</td>`)}</tr>\n`)}</tbody>
</table></div>`;
}

/** Figures side by side where there is room. */
export function figures(items: readonly { title: string; svg: Html }[]): Html {
  return html`<div class="figures">${items.map(
    ({ title, svg }) => html`<figure><figcaption>${title}</figcaption>${svg}</figure>`,
  )}</div>`;
}

/** Key figures in large type. */
export function highlights(items: readonly { label: string; value: Content }[]): Html {
  return html`<dl class="highlights">${items.map(
    ({ label, value }) => html`<div><dt>${label}</dt><dd>${value}</dd></div>`,
  )}</dl>`;
}

/** The colours of pages and figures, by name. */
export const PALETTE = `
:root { color-scheme: light dark; --ink: #1c1b19; --soft: #6b675f; --line: #e2dfd8; --paper: #fbfaf7; --card: #fff;
  --c1: #2f5d8a; --c2: #b5562b; --c3: #4c7a4a; --c4: #8a4f7d; --c5: #8f7a1f; --c6: #3f7f80; --c7: #a33b47; --c8: #5f5f87; }
@media (prefers-color-scheme: dark) {
  :root { --ink: #e9e6df; --soft: #a09b90; --line: #35332e; --paper: #171613; --card: #1f1e1a;
    --c1: #7fb0e0; --c2: #e8956b; --c3: #8fc28c; --c4: #cf95c2; --c5: #d3bd5c; --c6: #7cc4c5; --c7: #e5838e; --c8: #a8a8d6; }
}
`;

const STYLE = `${PALETTE}* { box-sizing: border-box; }
body { margin: 0 auto; padding: 3rem 1.5rem 4rem; max-width: 68rem; background: var(--paper); color: var(--ink);
  font: 16px/1.55 system-ui, -apple-system, "Segoe UI", Roboto, "Helvetica Neue", sans-serif; }
header { border-bottom: 1px solid var(--line); margin-bottom: 2rem; padding-bottom: 1rem; }
h1 { margin: 0; font-size: 2rem; font-weight: 650; letter-spacing: -0.02em; line-height: 1.2; }
h2 { margin: 2.5rem 0 0.75rem; font-size: 1.15rem; font-weight: 650; letter-spacing: -0.01em; }
header p, section > p { margin: 0.35rem 0 1rem; color: var(--soft); max-width: 46rem; }
.figures { display: grid; grid-template-columns: repeat(auto-fit, minmax(min(100%, 27rem), 1fr)); gap: 1rem; }
figure { margin: 0; padding: 1rem; background: var(--card); border: 1px solid var(--line); border-radius: 8px; min-width: 0; }
figcaption { font-size: 0.875rem; font-weight: 600; margin-bottom: 0.5rem; }
figure svg { width: 100%; height: auto; }
figure ~ .figures, .scroll + .scroll { margin-top: 1rem; }
figure canvas { width: 100%; height: auto; image-rendering: pixelated; margin-top: 0.75rem; }
figure input { width: 100%; }
.legend { display: flex; flex-wrap: wrap; gap: 0.25rem 1rem; margin-top: 0.5rem; font-size: 0.8rem; color: var(--soft); }
.legend span::before { content: ""; display: inline-block; width: 0.9em; height: 0.2em; border-radius: 1px;
  margin-right: 0.4em; vertical-align: 0.25em; background: var(--swatch); }
.scroll { overflow-x: auto; }
table { border-collapse: collapse; font-size: 0.9rem; font-variant-numeric: tabular-nums; min-width: 50%; }
th { font-weight: 600; color: var(--soft); border-bottom: 1px solid var(--ink); }
td { border-bottom: 1px solid var(--line); }
th, td { padding: 0.35rem 1.25rem 0.35rem 0; text-align: left; vertical-align: top; }
th.number, td.number { text-align: right; }
th:last-child, td:last-child { padding-right: 0; }
.highlights { display: flex; flex-wrap: wrap; gap: 1rem 2.5rem; margin: 0; }
.highlights dt { font-size: 0.8rem; color: var(--soft); }
.highlights dd { margin: 0; font-size: 1.6rem; font-weight: 600; letter-spacing: -0.02em; font-variant-numeric: tabular-nums; }
pre { margin: 0; padding: 1rem; overflow-x: auto; background: var(--card); border: 1px solid var(--line);
  border-radius: 8px; font: 0.8rem/1.5 ui-monospace, "SF Mono", Menlo, Consolas, monospace; }
@media print { body { padding: 0; } figure { break-inside: avoid; } }
`;
