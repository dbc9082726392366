import { spawnSync } from "node:child_process";
import { expect, test } from "vitest";
import { shellLine } from "../../src/cli/shell.ts";

test.skipIf(process.platform === "win32")("a shell reads the same words", () => {
  const words = [
    "run",
    "a b",
    "it's",
    "",
    "Größe/ä.onnx",
    "$HOME",
    "x;y",
    "keep=conv1=5,conv2=14",
    "ms@64=60%",
    "a*\\n",
  ];
  const { stdout } = spawnSync("sh", ["-c", `for w in ${shellLine(words)}; do printf '%s\\0' "$w"; done`]);
  expect(stdout.toString().split("\0").slice(0, -1)).toEqual(words);
});

test("plain words stay as they are", () => {
  expect(shellLine(["filigree", "run", "runs/Läufe-1", "--resume"])).toBe(
    "filigree run runs/Läufe-1 --resume",
  );
});
