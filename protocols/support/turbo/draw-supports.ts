import { mkdir, writeFile } from "node:fs/promises";
import { join } from "node:path";
import type { Pattern } from "../../../src/sparsity/runs.ts";
import { ROOT } from "../results.ts";

const CELL = 3;
const GAP = 24;

export interface Panel extends Pattern {
  title: string;
}

/** Writes docs/figures/<name>.svg: one bitmap below the other, a row for every neuron, dark where a weight is in use. */
export async function drawSupports(name: string, panels: readonly Panel[]): Promise<void> {
  const width = CELL * Math.max(...panels.map((p) => p.columns));
  let top = 0;
  const parts = panels.map(({ title, lines, columns, mask }) => {
    let cells = "";
    for (let line = 0; line < lines; line++)
      for (let column = 0; column < columns; column++) {
        const start = column;
        while (column < columns && mask[line * columns + column]) column++;
        if (column > start)
          cells += `M${start * CELL} ${line * CELL}h${(column - start) * CELL}v${CELL}h${(start - column) * CELL}z`;
      }
    const at = top + GAP;
    top = at + lines * CELL;
    return `<text x="0" y="${at - 7}">${title}</text><g transform="translate(0 ${at})"><rect width="${columns * CELL}" height="${lines * CELL}" fill="#f1f3f5"/><path d="${cells}" fill="#1c4e80"/></g>`;
  });
  const svg = `<svg xmlns="http://www.w3.org/2000/svg" viewBox="-8 0 ${width + 16} ${top + 8}" font-family="system-ui, sans-serif" font-size="14"><rect x="-8" width="${width + 16}" height="${top + 8}" fill="#fff"/>${parts.join("")}</svg>\n`;
  const path = join(ROOT, "docs", "figures", `${name}.svg`);
  await mkdir(join(path, ".."), { recursive: true });
  await writeFile(path, svg);
}
