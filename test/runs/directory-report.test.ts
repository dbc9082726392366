import { existsSync, readFileSync, utimesSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { parseHTML } from "linkedom";
import { expect, test } from "vitest";
import { executeRun } from "../../src/runs/execute-run.node.ts";
import { reportDirectory } from "../../src/runs/report/directory-report.node.ts";
import { recipeOf, temporaryFolder, writeTask } from "./support.ts";

/** Headings and subtitle of a page. */
function outlineOf(path: string) {
  const { document } = parseHTML(readFileSync(path, "utf8"));
  const texts = (selector: string) => [...document.querySelectorAll(selector)].map((e) => e.textContent);
  return { subtitle: texts("header p")[0], headings: texts("h2") };
}

/** A compression whose second training was stopped after its first epoch. */
async function stoppedCompression(): Promise<string> {
  const folder = temporaryFolder();
  const sparse = recipeOf(writeTask(folder, { epochs: 2, train: 60 }));
  const recipe = { ...sparse, sparsifier: null };
  await executeRun(recipe, join(folder, "dense"));
  const controller = new AbortController();
  await executeRun(recipe, join(folder, "sparse"), {
    signal: controller.signal,
    onEpoch: () => controller.abort(),
  });
  return folder;
}

test("a compression that was stopped has a page of both its trainings", async () => {
  const folder = await stoppedCompression();
  const report = join(folder, "report.html");
  expect(await reportDirectory(folder)).toEqual({ report, epochs: 3 });
  const { subtitle, headings } = outlineOf(report);
  expect(subtitle).toBe(
    "A compression that is not finished: dense network, 2 of 2 epochs; sparse network, 1 of 2 epochs",
  );
  expect(headings.filter((h) => h?.endsWith("Curves"))).toEqual([
    "Dense network: Curves",
    "Compressed network: Curves",
  ]);

  // Its trainings are runs of their own.
  expect(await reportDirectory(join(folder, "sparse"), join(folder, "own.html"))).toMatchObject({
    epochs: 1,
  });
  expect(outlineOf(join(folder, "own.html")).subtitle).toMatch(/1 of 2 epochs so far$/);
});

test("what an earlier compression in its place has left is not shown", async () => {
  const folder = await stoppedCompression();
  writeFileSync(join(folder, "result.json"), "an old one");
  expect(await reportDirectory(folder)).toMatchObject({ epochs: 3 });
  // Since then the second training has come to its end.
  writeFileSync(join(folder, "sparse", "result.json"), "{}");
  utimesSync(join(folder, "result.json"), 1000, 1000);
  expect(await reportDirectory(folder)).toMatchObject({ epochs: 3 });
  // Control: one that is newer is read.
  utimesSync(join(folder, "sparse", "result.json"), 999, 999);
  await expect(reportDirectory(folder)).rejects.toThrow(/result\.json: not JSON/);
});

test("a folder that holds neither is named, and nothing is written", async () => {
  const folder = temporaryFolder();
  writeFileSync(join(folder, "settings.json"), '{"of": "something else"}');
  await expect(reportDirectory(folder)).rejects.toThrow(
    /is not the directory of a run: it has no recipe\.yaml$/,
  );
  expect(existsSync(join(folder, "report.html"))).toBe(false);
});
