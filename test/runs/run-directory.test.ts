import { existsSync, mkdirSync, readdirSync, readFileSync, writeFileSync } from "node:fs";
import { hostname } from "node:os";
import { join } from "node:path";
import { describe, expect, test } from "vitest";
import { fileProblem } from "../../src/data/file-problem.node.ts";
import { Problem } from "../../src/problem.ts";
import { checkWritable } from "../../src/runs/files.node.ts";
import { numberedDirectory, removeRun } from "../../src/runs/run-directory.node.ts";
import { temporaryFolder } from "./support.ts";

describe("a directory of its own", () => {
  test("is the first number that is free, and to resume the last that is taken", async () => {
    const path = join(temporaryFolder(), "a");
    const both = async () => [await numberedDirectory(path), await numberedDirectory(path, { resume: true })];
    expect(await both()).toEqual([path, path]);
    mkdirSync(path);
    expect(await both()).toEqual([`${path}-2`, path]);
    mkdirSync(`${path}-2`);
    expect(await both()).toEqual([`${path}-3`, `${path}-2`]);
  });
});

describe("removing a run", () => {
  function runFolder(): string {
    const path = join(temporaryFolder(), "run");
    mkdirSync(path);
    writeFileSync(join(path, "recipe.yaml"), "model: lenet\ndata: mnist\n");
    return path;
  }

  test("takes all of it", async () => {
    const path = runFolder();
    mkdirSync(join(path, "checkpoints"));
    await removeRun(path);
    expect(existsSync(path)).toBe(false);
  });

  test("leaves what is no run, and a run that is going on", async () => {
    const other = temporaryFolder();
    writeFileSync(join(other, "letter.txt"), "mine");
    await removeRun(other);
    await removeRun(join(other, "nothing"));
    expect(readdirSync(other)).toEqual(["letter.txt"]);

    const path = runFolder();
    writeFileSync(join(path, ".lock"), `${hostname()} ${process.pid} x`);
    await expect(removeRun(path)).rejects.toThrow(`${path} is in use by process ${process.pid}`);
    expect(existsSync(join(path, "recipe.yaml"))).toBe(true);
  });
});

describe("a place to write", () => {
  test("is tried without a trace", async () => {
    const folder = temporaryFolder();
    writeFileSync(join(folder, "old.onnx"), "old");
    await checkWritable(join(folder, "old.onnx"));
    await checkWritable(join(folder, "new.onnx"));
    expect(readdirSync(folder)).toEqual(["old.onnx"]);
    expect(readFileSync(join(folder, "old.onnx"), "utf8")).toBe("old");
  });

  test("is refused where it is a folder or lies below a file", async () => {
    const folder = temporaryFolder();
    writeFileSync(join(folder, "file"), "");
    await expect(checkWritable(folder)).rejects.toThrow("this is a folder; expected a file");
    await expect(checkWritable("")).rejects.toThrow("has an empty name; give it one");
    await expect(checkWritable(join(folder, "a", "..", "b.onnx"), join(folder, "b.onnx"))).rejects.toThrow(
      "b.onnx is named twice; what is written needs a file of its own",
    );
    const missing = Object.assign(new Error("ENOENT"), { code: "ENOENT", syscall: "mkdir" });
    expect(fileProblem("write", "x/y.onnx", missing)).toEqual(
      new Problem("cannot write x/y.onnx: its folder cannot be made; choose another place"),
    );
    // Control: what is read may well be missing.
    expect(fileProblem("read", "y.onnx", missing)).toEqual(
      new Problem("cannot read y.onnx: no such file or folder"),
    );
    await expect(checkWritable(join(folder, "file", "x"))).rejects.toThrow("is a file, not a folder");
    expect(readdirSync(folder)).toEqual(["file"]);
  });
});
