import { join } from "node:path";
import type { Command } from "commander";
import type { JsonOption } from "./command.ts";
import { createCommand, emit } from "./command.ts";

export function reportCommand(): Command {
  return createCommand("report", {
    summary: "write a run's report.html: curves and tables in one file",
    examples: ["filigree report runs/recipe", "filigree report runs/recipe -o report.html"],
    keys: { report: "path of the page", epochs: "epochs that it shows" },
  })
    .argument("<run>", "the directory of a run, finished or not")
    .option("-o, --output <file>", "where to write it; report.html in the run's directory if not given")
    .action(async (directory: string, options: JsonOption & { output?: string }) => {
      const { writeWhole } = await import("../runs/files.node.ts");
      const { readRun } = await import("../runs/run-directory.node.ts");
      const { runReport } = await import("../runs/report/run-report.ts");
      const run = await readRun(directory);
      const report = options.output ?? join(directory, "report.html");
      await writeWhole(report, runReport(run));
      emit(options, { report, epochs: run.lines.length }, report);
    });
}
