import { spawnSync } from "node:child_process";
import { existsSync, mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { random } from "../../src/random.ts";
import { subset } from "../memory/support.ts";
import { build, filigree, MAIN } from "./support.ts";

beforeAll(build);

// The tests of this file build on one another.
const folder = mkdtempSync(join(tmpdir(), "filigree-sparsey-"));
afterAll(() => rmSync(folder, { recursive: true, force: true }));
const write = (name: string, lines: readonly string[]) => {
  writeFileSync(join(folder, name), `${lines.join("\n")}\n`);
  return name;
};
const run = async (...args: string[]) => {
  const { code, stdout, stderr } = await filigree(["sparsey", ...args, "--json"], folder);
  expect(stderr.split("\n").filter((line) => line.startsWith("filigree:"))).toEqual([]);
  expect(code).toBe(0);
  return JSON.parse(stdout);
};
const failure = async (...args: string[]) => {
  const { code, stdout, stderr } = await filigree(["sparsey", ...args], folder);
  expect(stdout).toBe("");
  return `${code} ${stderr}`;
};

test("a plan, before anything is stored", async () => {
  const plan = await run("plan", "--items", "1000", "--inputs", "784", "--active", "40");
  expect(plan.accuracy).toBeGreaterThanOrEqual(0.97);
  expect(plan.capacity).toBeGreaterThanOrEqual(1000);
  expect(plan.weights).toBe(784 * plan.q * plan.k);
  expect(await failure("plan", "--items", "9", "--inputs", "4", "--active", "4")).toMatch(
    /^1 filigree: plan: 4 of 4 inputs are active/,
  );
  expect(await failure("plan", "--items", "9", "--inputs", "4", "--active", "2", "--accuracy", "97")).toMatch(
    /^2 filigree: .*'97' is invalid. expected a share between 0 and 1, such as 0.5; see filigree sparsey plan --help\n$/,
  );
});

test("a plan for too few cells says what will not be stored, and learning then does not store it", async () => {
  const size = ["--inputs", "144", "--q", "9", "--k", "16"];
  const { stdout } = await filigree(["sparsey", "plan", "--items", "300", "--active", "12", ...size], folder);
  expect(stdout).toMatch(
    /with 133 items: density 50.\d* %, 98.7\d % .*\n.* the other 167 will not be stored;/,
  );
  const never = ["--freeze-at", "never"];
  const all = await filigree(
    ["sparsey", "plan", "--items", "300", "--active", "12", ...size, ...never],
    folder,
  );
  expect(all.stdout).toMatch(/with 300 items: density 79.\d* %, 54.\d* % .*\n.*never freezes\n/);
  const lines = Array.from({ length: 300 }, (_, i) => subset(random(i), 144, 12).join(" "));
  const learn = ["learn", write("many.txt", lines), "-o", "many.mem", "--encoder", "patterns"];
  const plain = await filigree(["sparsey", ...learn, ...size, "--json"], folder);
  const { items, stored, frozen } = JSON.parse(plain.stdout);
  expect([items, frozen]).toEqual([300, [1]]);
  expect(stored).toBeGreaterThan(120);
  expect(stored).toBeLessThan(200);
  expect(plain.stderr).toContain(
    `${300 - stored} of 300 items not stored: the memory is full and has frozen;`,
  );
  expect((await run(...learn, ...size, ...never)).stored).toBe(300);
  // Left to itself it takes as many cells as it needs.
  expect((await run(...learn, "--inputs", "144")).stored).toBe(300);
  expect((await run("inspect", "many.mem")).levels[0].k).toBeGreaterThan(32);
});

describe("texts", () => {
  const notes = [
    "fruit\tapples and pears in the basket",
    "fruit\ta bowl of ripe cherries",
    "sky\tclouds over the northern sea",
    "sky\tthe moon rose late and red",
  ];

  test("are stored once, recognised with their class, and told from new ones", async () => {
    const learnt = await run("learn", write("notes.txt", notes), "-o", "notes.mem");
    expect(learnt.items).toBe(4);
    expect(learnt.classes).toEqual(["fruit", "sky"]);
    expect(learnt.uniqueCodes).toBe(4);
    expect(learnt.uniqueCodesOfMacs).toEqual([4]);
    expect(learnt.familiarity.reduce((a: number, b: number) => a + b)).toBe(4);
    const { items } = await run(
      "recognize",
      "notes.mem",
      write("new.txt", ["apples and pears in a basket", "the moon rose late and red", "0x7f zqj kwv"]),
    );
    expect(items.map((i: { label: string }) => i.label).slice(0, 2)).toEqual(["fruit", "sky"]);
    const [near, same, foreign] = items.map((i: { familiarity: number }) => i.familiarity);
    expect(same).toBeCloseTo(1, 9);
    expect(near).toBeGreaterThan(0.5);
    expect(foreign).toBeLessThan(0.2);
    const { frames, levels, bytes } = await run("inspect", "notes.mem");
    expect(frames).toBe(4);
    expect(bytes).toBe(learnt.bytes);
    expect(levels[0].density).toBeCloseTo(learnt.density[0], 12);
  });

  test("can be added to", async () => {
    const more = write("more.txt", ["sea\twaves against the harbour wall"]);
    const { classes } = await run("learn", more, "--from", "notes.mem", "-o", "notes2.mem");
    expect(classes).toEqual(["fruit", "sky", "sea"]);
    expect((await run("inspect", "notes2.mem")).frames).toBe(5);
    expect((await run("inspect", "notes.mem")).frames).toBe(4);
  });

  test("come through a pipe", () => {
    const recognize = [MAIN, "sparsey", "recognize", "notes.mem", "-", "--json"];
    const { stdout } = spawnSync(process.execPath, recognize, {
      cwd: folder,
      input: notes[3],
      encoding: "utf8",
    });
    expect(JSON.parse(stdout).items).toMatchObject([{ line: "the moon rose late and red", label: "sky" }]);
  });

  test("people get tables", async () => {
    const { stdout } = await filigree(["sparsey", "recognize", "notes.mem", "notes.txt"], folder);
    expect(stdout).toMatch(/^familiarity {2}class {2}item\n/);
    expect(stdout).toMatch(/\n {6}1\.000 {2}sky {4}the moon rose late and red\n/);
  });
});

test("a sequence of patterns is replayed from its first line", async () => {
  const frames = ["1 2 3 4", "10 11 12 13", "20 21 22 23", "1 2 30 31", "40 41 42 43"];
  const file = write("melody.txt", frames);
  await run("learn", file, "-o", "melody.mem", "--encoder", "patterns", "--inputs", "50", "--sequences");
  const replay = await run("recall", "melody.mem", "1 2 3 4", "--length", "9");
  expect(replay.frames.map((f: { active: number[] }) => f.active.join(" "))).toEqual(frames);
  const { code, stdout, stderr } = await filigree(["sparsey", "recall", "melody.mem", "25 26"], folder);
  expect([code, stdout, stderr]).toEqual([0, "\n", "nothing comes back: familiarity 0.000\n"]);
});

test("what is wrong is said in one line", async () => {
  write("words.txt", ["not a pattern"]);
  write("empty.txt", [""]);
  write("damaged.mem", ["nothing"]);
  const patterns = ["-o", "x.mem", "--encoder", "patterns"];
  expect(await failure("learn", "words.txt", ...patterns)).toMatch(
    /^1 filigree: words.txt: line 1: "not" is not the number/,
  );
  expect(await failure("learn", "empty.txt", ...patterns)).toMatch(/empty.txt: holds no items/);
  expect(await failure("learn", "absent.txt", ...patterns)).toMatch(/cannot read absent.txt: no such file/);
  expect(await failure("recognize", "damaged.mem", "words.txt")).toMatch(
    /damaged.mem: not a saved memory of Filigree/,
  );
  expect(await failure("recall", "notes.mem", "1 2")).toMatch(/holds texts/);
  const small = [...patterns, "--inputs", "50"];
  write("wrong.txt", ["1 2 3", "4 50"]);
  expect(await failure("learn", "wrong.txt", ...small)).toMatch(
    /^1 filigree: wrong.txt: line 2: there is no input 50; there are 0 to 49\n$/,
  );
  write("twice.txt", ["7 8 7"]);
  expect(await failure("learn", "twice.txt", ...small)).toMatch(/twice.txt: line 1: input 7 is there twice/);
  expect(await failure("recall", "melody.mem", "1 99")).toMatch(/the pattern: there is no input 99/);
  expect(await failure("recall", "melody.mem", " ")).toMatch(/the pattern: no active inputs/);
  expect(await failure("learn", "wrong.txt", "-o", "x.mem", "--from", "melody.mem", "--k", "9")).toMatch(
    /melody.mem has settled its k; leave that option out with --from/,
  );
  expect(await failure("learn", "notes.txt", "-o", "notes.txt")).toMatch(/notes\.txt is named twice/);
  expect(await failure("learn", "notes.txt", "-o", ".")).toMatch(/cannot write \.: this is a folder/);
  expect(await failure("learn", "notes.txt", "-o", "x.mem", "--q", "99999999")).toMatch(
    /memory: its weights would take [\d,]+ GB; use fewer/,
  );
  expect(existsSync(join(folder, "x.mem"))).toBe(false);
  expect(await failure("learn", "words.txt", "-o", "x.mem", "--preset", "robst")).toMatch(
    /^2 .*did you mean "robust"/,
  );
});
