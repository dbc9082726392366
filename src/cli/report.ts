import type { Command } from "commander";
import type { JsonOption } from "./command.ts";
import { createCommand, emit } from "./command.ts";

export function reportCommand(): Command {
  return createCommand("report", {
    summary: "write the report.html of a run, a compression or an experiment: curves and tables in one file",
    examples: ["filigree report runs/recipe", "filigree report runs/demo -o report.html"],
    keys: {
      report: "path of the page",
      epochs: "epochs that it shows, of both trainings of a compression",
      runs: "instead of epochs, runs that it shows of an experiment with tickets",
    },
  })
    .argument("<run>", "the directory of a run, of compress, demo or tickets, finished or not")
    .option("-o, --output <file>", "where to write it; report.html in the run's directory if not given")
    .action(async (directory: string, options: JsonOption & { output?: string }) => {
      const { reportDirectory } = await import("../runs/report/directory-report.node.ts");
      const written = await reportDirectory(directory, options.output);
      emit(options, written, written.report);
    });
}
