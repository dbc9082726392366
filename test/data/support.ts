import { existsSync } from "node:fs";
import { dirname, join } from "node:path";
import { fileURLToPath } from "node:url";
import { expect } from "vitest";
import { Problem } from "../../src/problem.ts";

const root = dirname(dirname(dirname(fileURLToPath(import.meta.url))));

/** The folder of real data that lies beside a checkout, if it is there. */
export const SHARED_DATA = join(process.env.FILIGREE_SHARED ?? join(root, "../shared"), "data");
export const hasSharedData = existsSync(SHARED_DATA);
if (!hasSharedData) console.warn(`no real data at ${SHARED_DATA}: tests that need them are skipped`);

export function fromBase64(text: string): Uint8Array<ArrayBuffer> {
  return new Uint8Array(Buffer.from(text, "base64"));
}

/** Expects `run` to throw a Problem, not just any error, whose one line matches. */
export function expectProblem(run: () => unknown, message: RegExp): void {
  let error: unknown;
  try {
    run();
  } catch (caught) {
    error = caught;
  }
  expectIsProblem(error, message);
}

export async function expectProblemLater(work: Promise<unknown>, message: RegExp): Promise<void> {
  expectIsProblem(await work.then(() => undefined).catch((error) => error), message);
}

function expectIsProblem(error: unknown, message: RegExp): void {
  expect(error).toBeInstanceOf(Problem);
  expect((error as Problem).message).toMatch(message);
  expect((error as Problem).message).not.toMatch(/\n/);
}
