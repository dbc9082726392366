import { mkdir, writeFile } from "node:fs/promises";
import { join } from "node:path";
import type { Html } from "../../src/runs/report/html.ts";
import { svgFile } from "../../src/runs/report/plot-svg.ts";
import { ROOT } from "./results.ts";

/** Writes a drawing to docs/figures/<name>.svg. */
export async function writeFigure(name: string, drawing: Html): Promise<void> {
  const folder = join(ROOT, "docs", "figures");
  await mkdir(folder, { recursive: true });
  await writeFile(join(folder, `${name}.svg`), svgFile(drawing));
}
