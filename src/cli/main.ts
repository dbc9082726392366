#!/usr/bin/env node
import { Command, CommanderError } from "commander";
import { Problem, Stopped } from "../problem.ts";
import { filigreeVersion } from "../runs/version.node.ts";
import { configure, usageError } from "./command.ts";
import { INTERRUPTED } from "./interrupt.ts";

/** In the order of the help. Only the one that is called is loaded, and what computes only once it runs. */
const commands: Readonly<Record<string, () => Promise<Command>>> = {
  demo: async () => (await import("./demo.ts")).demoCommand(),
  compress: async () => (await import("./compress.ts")).compressCommand(),
  prune: async () => (await import("./prune.ts")).pruneCommand(),
  truncate: async () => (await import("./truncate.ts")).truncateCommand(),
  run: async () => (await import("./run.ts")).runCommand(),
  eval: async () => (await import("./eval.ts")).evalCommand(),
  inspect: async () => (await import("./inspect.ts")).inspectCommand(),
  bench: async () => (await import("./bench.ts")).benchCommand(),
  pack: async () => (await import("./pack.ts")).packCommand(),
  unpack: async () => (await import("./unpack.ts")).unpackCommand(),
  embed: async () => (await import("./embed.ts")).embedCommand(),
  sparsey: async () => (await import("./sparsey.ts")).sparseyCommand(),
  tickets: async () => (await import("./tickets.ts")).ticketsCommand(),
  simulate: async () => (await import("./simulate.ts")).simulateCommand(),
  giorom: async () => (await import("./giorom.ts")).gioromCommand(),
  rollout: async () => (await import("./rollout.ts")).rolloutCommand(),
  render: async () => (await import("./render.ts")).renderCommand(),
  report: async () => (await import("./report.ts")).reportCommand(),
  data: async () => (await import("./data.ts")).dataCommand(),
};

const program = configure(new Command("filigree"))
  .description("Sparse neural networks, end to end: train, compress, understand and ship them.")
  .version(filigreeVersion())
  .addHelpText(
    "after",
    [
      "",
      "Example:",
      "  filigree run recipe.yaml",
      "",
      "Every command has --help with an example, and --json.",
      "Exit codes: 0 done, 1 failed, 2 wrong usage, 130 stopped by Ctrl-C.",
    ].join("\n"),
  );
const called = Object.hasOwn(commands, process.argv[2] ?? "") ? [process.argv[2]] : Object.keys(commands);
for (const name of called) program.addCommand(await commands[name]());
const words: string[] = [];
for (
  let at: Command | undefined = program;
  at;
  at = at.commands.find((c) => c.name() === process.argv[1 + words.length])
)
  words.push(at.name());
const help = [...words, "--help"].join(" ");

// A reader that has seen enough, such as `head`, is no error.
process.stdout.on("error", (error: NodeJS.ErrnoException) => {
  if (error.code !== "EPIPE") throw error;
  process.exit();
});

try {
  await program.parseAsync();
} catch (error) {
  const usage = usageError(error);
  // Called without a command: commander has printed the help.
  if ((error as CommanderError).code === "commander.help") process.exitCode = 2;
  else if (usage !== undefined) fail(`${usage}; see ${help}`, 2);
  else if (!(error instanceof CommanderError))
    fail(messageOf(error), error instanceof Stopped ? INTERRUPTED : 1);
}

function fail(message: string, code: number): void {
  process.exitCode = code;
  process.stderr.write(`filigree: ${message}\n`);
  if (process.argv.includes("--json")) process.stdout.write(`${JSON.stringify({ error: message })}\n`);
}

function messageOf(error: unknown): string {
  const { message, stack } = error as Error;
  if (error instanceof Problem) return message;
  if (process.env.FILIGREE_DEBUG) return stack ?? message;
  return `${String(message).split("\n")[0]}; set FILIGREE_DEBUG=1 for the stack trace`;
}
