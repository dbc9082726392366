import { spawn } from "node:child_process";
import { dirname, join } from "node:path";
import { pathToFileURL } from "node:url";
import { afterEach, beforeAll, describe, expect, test, vi } from "vitest";
import { note, startProgress } from "../../src/cli/progress.ts";
import { table } from "../../src/cli/table.ts";
import {
  formatBytes,
  formatCount,
  formatSeconds,
  formatShare,
  formatShort,
  significant,
} from "../../src/runs/format.ts";
import { build, MAIN } from "./support.ts";

test("a table's columns are aligned, numbers to the right", () => {
  const text = table(
    [{ heading: "layer" }, { heading: "MACs", align: "right" }, { heading: "op" }],
    [
      ["conv1", 5, "Conv"],
      ["×", "1,234,567", ""],
    ],
  );
  expect(text.split("\n")).toEqual([
    "layer       MACs  op",
    "─────  ─────────  ────",
    "conv1          5  Conv",
    "×      1,234,567",
  ]);
});

test("numbers are short and keep three digits", () => {
  expect([0, 999, 999.6, 1234567, 2.5e12].map(formatShort)).toEqual([
    "0",
    "999",
    "1.00 k",
    "1.23 M",
    "2.50 T",
  ]);
  expect([0, 812, 26_454, 170_052_171].map(formatBytes)).toEqual(["0 B", "812 B", "26.5 kB", "170 MB"]);
  expect([0, 0.0001234, 0.1234, 12.345, 123.45, 98765, 1e9].map(significant)).toEqual([
    "0.00",
    "1.23e-4",
    "0.123",
    "12.3",
    "123",
    "98765",
    "1.00e+9",
  ]);
  expect([3.21, 42.4, 65, 3725].map(formatSeconds)).toEqual(["3.2 s", "42 s", "1 min 5 s", "1 h 2 min"]);
  expect(formatCount(1234567.4)).toBe("1,234,567");
  expect(formatShare(0.98765)).toBe("98.77 %");
});

describe("progress", () => {
  let written = "";
  const stderr = process.stderr as { isTTY: boolean | undefined; columns: number | undefined };
  const { isTTY, columns } = stderr;
  const capture = (terminal: boolean, width = 80) => {
    vi.useFakeTimers({ toFake: ["performance"] });
    written = "";
    Object.assign(stderr, { isTTY: terminal, columns: width });
    vi.spyOn(process.stderr, "write").mockImplementation((text) => {
      written += text;
      return true;
    });
  };
  afterEach(() => {
    vi.restoreAllMocks();
    vi.useRealTimers();
    Object.assign(stderr, { isTTY, columns });
  });

  /** What a terminal shows at the end. */
  const screen = () =>
    written
      .split("\n")
      .map((line) => line.split("\r\u001b[2K").at(-1)!)
      .join("\n");

  test("is a bar with rate and time left on a terminal, and leaves nothing", () => {
    capture(true, 100);
    const progress = startProgress({ label: "train", total: 200, unit: "steps", from: 100 });
    vi.advanceTimersByTime(10_000);
    progress.update(150, "loss 0.5");
    expect(screen()).toBe(
      `train ${"█".repeat(18)}${"░".repeat(6)} 150/200 steps · 5.00/s · 10 s left · loss 0.5`,
    );
    note("epoch 1");
    expect(screen()).toMatch(/^epoch 1\ntrain █/);
    // Drawn at most every 80 ms, never wider than the terminal.
    const before = written;
    progress.update(151);
    expect(written).toBe(before);
    stderr.columns = 30;
    vi.advanceTimersByTime(100);
    progress.update(152);
    expect([...screen().split("\n")[1]]).toHaveLength(29);
    progress.end();
    expect(screen()).toBe("epoch 1\n");
  });

  test("is a line now and then elsewhere", () => {
    capture(false);
    const progress = startProgress({ label: "train", total: 1000, unit: "steps" });
    for (let step = 1; step <= 1000; step++) {
      vi.advanceTimersByTime(30);
      progress.update(step);
    }
    progress.end();
    const lines = written.trim().split("\n");
    expect(lines[0]).toBe("train: 1000 steps");
    expect(lines[1]).toBe("train: 334/1000 steps · 33.3/s · 20 s left");
    expect(lines).toHaveLength(3);
    expect(written).not.toContain("\r");
  });
});

describe("Ctrl-C", () => {
  beforeAll(build);

  test("aborts the first time and ends the process the second", async () => {
    const module = pathToFileURL(join(dirname(MAIN), "interrupt.js")).href;
    const script = `
      const { onInterrupt } = await import(${JSON.stringify(module)});
      const { signal } = onInterrupt("stopping");
      signal.addEventListener("abort", () => console.log("aborted"));
      setInterval(() => {}, 1000);
      console.log("ready");`;
    const child = spawn(process.execPath, ["--input-type=module", "-e", script]);
    let stdout = "";
    child.stdout.on("data", (text) => {
      stdout += text;
      child.kill("SIGINT");
    });
    const code = await new Promise((resolve) => child.on("close", resolve));
    expect(stdout).toBe("ready\naborted\n");
    expect(code).toBe(130);
  });
});
