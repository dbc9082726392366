import { readdirSync, readFileSync } from "node:fs";
import { dirname, join } from "node:path";
import { expect, test } from "vitest";

const { sideEffects } = JSON.parse(readFileSync("package.json", "utf8")) as { sideEffects: string[] };
const files = readdirSync("src", { recursive: true, encoding: "utf8" }).filter(
  (f) => f.endsWith(".ts") && !f.endsWith(".wasm.ts"),
);

test("bundlers keep every file that is imported for what it does, not for what it exports", () => {
  const imported = files.flatMap((file) =>
    [...readFileSync(join("src", file), "utf8").matchAll(/^import "(\..*)\.ts";$/gm)].map(([, path]) =>
      join(dirname(file), path),
    ),
  );
  expect(imported.length).toBeGreaterThan(3);
  const kept = sideEffects.map((pattern) => /^\.\/dist\/(.*)\/\*\.js$/.exec(pattern)![1]);
  for (const path of imported) expect(kept).toContain(dirname(path));
});
