import { Command, CommanderError, InvalidArgumentError } from "commander";
import { nearest } from "../runs/nearest.ts";

export interface CommandHelp {
  summary: string;
  /** Lines that can be pasted into a shell. */
  examples: readonly string[];
  /** Words that an option takes, with their meaning, under a heading. */
  words?: { heading: string; meanings: Readonly<Record<string, string>> };
  /** The keys of the object that --json prints, with their meaning; a command without any has no --json. */
  keys?: Readonly<Record<string, string>>;
}

export interface JsonOption {
  json?: boolean;
}

/** A command with an example, `--json` and its keys in the help. */
export function createCommand(name: string, { summary, examples, words, keys }: CommandHelp): Command {
  const command = configure(new Command(name))
    .summary(summary)
    .description(`${summary[0].toUpperCase()}${summary.slice(1)}.`)
    .addHelpText("after", help(examples.length > 1 ? "Examples:" : "Example:", examples));
  if (words) command.addHelpText("after", help(words.heading, columns(words.meanings)));
  if (!keys) return command;
  return command
    .option("--json", "print one JSON object to stdout and nothing else there")
    .addHelpText("after", help("Keys of --json:", columns(keys)));
}

/** Words and meanings, the meanings one below the other. */
function columns(meanings: Readonly<Record<string, string>>): string[] {
  const width = Math.max(...Object.keys(meanings).map((word) => word.length));
  return Object.entries(meanings).map(([word, meaning]) => `${word.padEnd(width)}  ${meaning}`);
}

function help(heading: string, lines: readonly string[]): string {
  return ["", heading, ...lines.map((line) => `  ${line}`)].join("\n");
}

/** What every command does alike: wrong usage is one line and is thrown, not a way out of the process. */
export function configure(command: Command): Command {
  return command.exitOverride().configureOutput({ outputError: () => {} });
}

/** Prints what a command found: the object for programs, the text for people. */
export function emit({ json }: JsonOption, result: object, text: string): void {
  process.stdout.write(`${json ? JSON.stringify(result) : text}\n`);
}

/** What was wrong with the command line, in one line; undefined for help and version, which are no errors. */
export function usageError(error: unknown): string | undefined {
  if (!(error instanceof CommanderError) || error.exitCode === 0) return undefined;
  return error.message
    .replace(/^error: /, "")
    .replace(/\s*\n\s*/g, " ")
    .trim();
}

/** For `.option`: a whole number of at least `min` and at most `max`. */
export function wholeNumber(min: number, max = Number.MAX_SAFE_INTEGER): (text: string) => number {
  return (text) => {
    const value = Number(text);
    if (!/^\d+$/.test(text) || value < min || value > max)
      throw new InvalidArgumentError(
        `expected a whole number ${value > max ? `of at most ${max}` : `of at least ${min}`}`,
      );
    return value;
  };
}

/** For `.option`: a number above 0. */
export function positiveNumber(text: string): number {
  const value = Number(text);
  if (!(value > 0 && Number.isFinite(value))) throw new InvalidArgumentError("expected a number above 0");
  return value;
}

/** For `.option`: one of several words. */
export function choice<const T extends string>(known: readonly T[]): (text: string) => T {
  return (text) => {
    if (known.includes(text as T)) return text as T;
    const near = nearest(text, known);
    throw new InvalidArgumentError(
      `expected one of ${known.join(", ")}${near ? `; did you mean "${near}"?` : ""}`,
    );
  };
}
