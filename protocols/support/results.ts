import { mkdir, readFile, writeFile } from "node:fs/promises";
import { cpus, totalmem } from "node:os";
import { join } from "node:path";
import { softwareVersions } from "../../src/runs/environment.node.ts";

export const ROOT = join(import.meta.dirname, "../../..");

/** Writes docs/results/<name>.json: the figures with the command that makes them, the machine and the versions. */
export async function writeResults(name: string, command: string, figures: object): Promise<void> {
  const machine = { cpu: cpus()[0].model, cores: cpus().length, memoryGB: Math.round(totalmem() / 1e9) };
  const path = join(ROOT, "docs", "results", `${name}.json`);
  await mkdir(join(path, ".."), { recursive: true });
  const text = JSON.stringify(
    {
      command,
      date: new Date().toISOString().slice(0, 10),
      machine,
      versions: softwareVersions(),
      ...figures,
    },
    undefined,
    1,
  );
  await writeFile(path, `${text}\n`);
  console.log(`\nwritten to docs/results/${name}.json`);
}

export interface Summary {
  mean: number;
  sd: number;
  values: number[];
}

/** Mean and sample standard deviation. */
export function summarize(values: number[]): Summary {
  const mean = values.reduce((a, b) => a + b, 0) / values.length;
  const sd = Math.sqrt(values.reduce((a, b) => a + (b - mean) ** 2, 0) / Math.max(1, values.length - 1));
  return { mean, sd, values };
}

/** Where the data sets of these machines lie; the public ones are downloaded where it is absent. */
export const DATA_DIR = process.env.FILIGREE_DATA;

/** Whether two settings would be written alike. */
export function alike(a: unknown, b: unknown): boolean {
  return JSON.stringify(a) === JSON.stringify(b);
}

/** What an earlier run of the protocol wrote; undefined where there is nothing. */
export async function earlierResults<T>(name: string): Promise<T | undefined> {
  const text = await readFile(join(ROOT, "docs", "results", `${name}.json`), "utf8").catch(() => undefined);
  return text === undefined ? undefined : (JSON.parse(text) as T);
}
