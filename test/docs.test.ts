import { spawnSync } from "node:child_process";
import { expect, test } from "vitest";

test("the tables of the docs are what the results say", () => {
  const { status, stderr } = spawnSync(process.execPath, ["scripts/tables.mjs", "--check"], {
    encoding: "utf8",
  });
  expect(stderr).toBe("");
  expect(status).toBe(0);
});
