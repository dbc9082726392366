import { readFile, stat } from "node:fs/promises";
import { basename, join } from "node:path";
import { Problem } from "../../problem.ts";
import type { ExperimentSettings } from "../../sparsity/tickets/settings.ts";
import type { CompressResult } from "../compress.node.ts";
import { writeWhole } from "../files.node.ts";
import { parseJson, readRecipeIn, readRun } from "../run-directory.node.ts";
import type { RunRecord } from "../run-result.ts";
import { readOutcomes, readSettings } from "../tickets/experiment-directory.node.ts";
import { compressionReport } from "./compression-report.node.ts";
import { page } from "./page.ts";
import { runReport, runSections } from "./run-report.ts";

/** The page that was written, and how much it shows. */
export type DirectoryReport = { report: string } & ({ epochs: number } | { runs: number });

/**
 * Writes the page of a directory, whether or not what it holds is finished: of a run, of a compression (with the demo's)
 * or of an experiment with tickets. Throws a `Problem` where it is none of these.
 */
export async function reportDirectory(
  directory: string,
  report = join(directory, "report.html"),
): Promise<DirectoryReport> {
  const settings = await readSettings(directory);
  if (settings) return await reportExperiment(settings, directory, report);
  const parts = (await readRecipeIn(directory)) ? [] : await partsOf(directory);
  const runs = parts.length > 0 ? parts : [await readRun(directory)];
  await writeWhole(report, parts.length > 0 ? await ofCompression(directory, parts) : runReport(runs[0]));
  return { report, epochs: runs.reduce((sum, { lines }) => sum + lines.length, 0) };
}

async function reportExperiment(
  settings: ExperimentSettings,
  directory: string,
  report: string,
): Promise<DirectoryReport> {
  const outcomes = await readOutcomes(settings, directory);
  if (!outcomes.some(({ name }) => (settings.sweep ? name !== "base" : name === "base")))
    throw new Problem(`${directory} has no run to show yet; go on by repeating the command with --resume`);
  // What analyses and draws takes a moment to load.
  if (settings.sweep) {
    const { writeSweep } = await import("../tickets/sweep-report.node.ts");
    await writeSweep(settings, directory, outcomes, report);
  } else {
    const { writeReport } = await import("../tickets/write-report.node.ts");
    await writeReport(settings, directory, outcomes, report);
  }
  return { report, runs: outcomes.length };
}

/** The two trainings of a compression, in its directory. */
const PARTS = { dense: "Dense network", sparse: "Compressed network" } as const;

type Part = RunRecord & { name: keyof typeof PARTS };

async function partsOf(directory: string): Promise<Part[]> {
  const parts: Part[] = [];
  for (const name of ["dense", "sparse"] as const) {
    const path = join(directory, name);
    if (await readRecipeIn(path)) parts.push({ name, ...(await readRun(path)) });
  }
  return parts;
}

async function ofCompression(directory: string, parts: readonly Part[]): Promise<string> {
  const result = await resultOf(directory);
  if (result) {
    const dense = parts.some((p) => p.name === "dense") ? { dense: join(directory, "dense") } : {};
    return await compressionReport(result, { ...dense, sparse: join(directory, "sparse") });
  }
  return page({
    title: basename(directory),
    subtitle: `A compression that is not finished: ${parts
      .map(({ name, lines, recipe }) => `${name} network, ${lines.length} of ${recipe.epochs} epochs`)
      .join("; ")}`,
    sections: parts.flatMap((part) =>
      runSections(part).map((s) => ({ ...s, heading: `${PARTS[part.name]}: ${s.heading}` })),
    ),
  });
}

/** What the compression came to; undefined before, and for what an earlier one has left. */
async function resultOf(directory: string): Promise<CompressResult | undefined> {
  const file = join(directory, "result.json");
  const [own, trained] = await Promise.all(
    [file, join(directory, "sparse", "result.json")].map((path) => stat(path).catch(() => undefined)),
  );
  if (!own || !trained || own.mtimeMs < trained.mtimeMs) return undefined;
  return parseJson(await readFile(file, "utf8"), file) as CompressResult;
}
