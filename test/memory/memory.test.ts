import { describe, expect, it, test } from "vitest";
import { averageLinkage } from "../../src/memory/cluster.ts";
import { decodeVotes, inputsFrom, strongestInputs } from "../../src/memory/decode.ts";
import { neighbourMacs, patchFields, radiusFields } from "../../src/memory/fields.ts";
import { createLabelField, labelScores, learnLabel, READOUTS } from "../../src/memory/label-field.ts";
import {
  agreement,
  cellsOf,
  createMemory,
  type MemoryOptions,
  memoryFromBytes,
} from "../../src/memory/memory.ts";
import { resolveRules } from "../../src/memory/rules.ts";
import { deriveSeed, random } from "../../src/random.ts";
import { expectProblem } from "../data/support.ts";
import { referenceNetwork } from "./reference.ts";
import { subset, vectors } from "./support.ts";

const FULL = ["HU", "HUD", "U", "UD"];
const ANY = ["D", "H", "HD", ...FULL];

describe("three levels beside the formulas written out", () => {
  const BACKOFF = { backoff: [0.3, 0.9, 0.9] } as const;
  for (const [preset, what, neighbourly, reading, expectedVersions] of [
    ["classic", "", false, {}, FULL],
    ["robust", "", false, {}, FULL],
    ["capacity", "", false, {}, FULL],
    ["classic", ", with neighbours", true, {}, FULL],
    ["robust", ", with neighbours", true, {}, FULL],
    ["robust", ", with back-off", false, BACKOFF, FULL],
    ["classic", ", with back-off to anything", false, { ...BACKOFF, backoffWithoutInput: true }, ANY],
  ] as const)
    it(`${preset}${what}: the same codes, G and weights from below, from the side and from above`, () => {
      const rules = { freezeAt: null, ...reading } as const;
      const levels = [
        {
          fields: patchFields({ columns: 6, rows: 4 }, { size: 3, stride: 1 }),
          neighbours: neighbourly ? neighbourMacs({ columns: 4, rows: 2 }) : undefined,
          q: 4,
          k: 5,
          band: [1, 6],
        },
        {
          fields: [
            [0, 1, 2, 4, 5],
            [2, 3, 6, 7],
          ],
          q: 3,
          k: 4,
          persistence: 2,
          band: [1, 5],
        },
        { q: 3, k: 3, persistence: 3 },
      ] as const;
      const memory = createMemory({ inputs: 24, levels, preset, rules, seed: 11 });
      const slow = referenceNetwork(
        memory.network.levels.map((level) => ({
          fields: level.fields.map((field) => Array.from(field)),
          neighbours: level.neighbours.map((list) => Array.from(list)),
          q: level.macs[0].q,
          k: level.macs[0].k,
          persistence: level.macs[0].persistence,
          band: level.macs[0].band,
          rules: resolveRules(preset, rules),
        })),
      );
      const draws = memory.network.levels.map((level, l) =>
        level.macs.map((_, m) => random(deriveSeed(11, "mac", l, m))),
      );
      const rng = random(2);
      const states = new Map<string, number>();
      const versions = new Set<string>();
      for (let episode = 0; episode < 16; episode++) {
        memory.reset();
        slow.reset();
        for (let t = 0; t < 5; t++) {
          const active = subset(random(rng.integer(9)), 24, 2 + rng.integer(7));
          const mode = episode % 3 === 2 ? "recognize" : "learn";
          slow.step(active, mode, (l, m) => draws[l][m].uniform());
          const frame = memory.step(active, mode);
          for (const [m, mac] of memory.network.macs.entries()) {
            const expected = slow.macs[m];
            const where = `mac ${m}, episode ${episode}, frame ${t}`;
            expect(mac.code && Array.from(mac.code), where).toEqual(expected.code);
            if (expected.G === undefined) expect(frame.macs[m].familiarity, where).toBeUndefined();
            else expect(frame.macs[m].familiarity, where).toBeCloseTo(expected.G, 12);
            states.set(frame.macs[m].state, (states.get(frame.macs[m].state) ?? 0) + 1);
            const { version } = frame.macs[m];
            if (version) {
              versions.add(version);
              expect([...version].sort().join(""), where).toBe(expected.version);
            }
          }
        }
      }
      for (const [m, mac] of memory.network.macs.entries()) {
        expect(mac.up.increased()).toBe(slow.macs[m].U.size);
        expect([mac.horizontal, ...mac.side].reduce((sum, h) => sum + (h?.increased() ?? 0), 0)).toBe(
          slow.macs[m].H.size,
        );
        expect(mac.down.reduce((sum, d) => sum + (d?.increased() ?? 0), 0)).toBe(slow.macs[m].D.size);
      }
      // Nothing was left out of the comparison.
      expect([...versions].sort()).toEqual(expectedVersions);
      for (const state of ["silent", "held", "active"]) expect(states.get(state), state).toBeGreaterThan(20);
    });
});

describe("neighbours", () => {
  it("are the macs within reach on the grid, not the mac itself", () => {
    // 0 1 2
    // 3 4 5
    const grid = { columns: 3, rows: 2 };
    expect(neighbourMacs(grid)).toEqual([
      [1, 3],
      [0, 2, 4],
      [1, 5],
      [0, 4],
      [1, 3, 5],
      [2, 4],
    ]);
    expect(neighbourMacs(grid, { reach: 1.5 })[0]).toEqual([1, 3, 4]);
  });

  it("tell where something came from that a mac sees for the first time; without them it cannot know", () => {
    const rng = random(8);
    const left = Array.from({ length: 6 }, () => subset(rng, 50, 8));
    const right = subset(rng, 50, 8).map((j) => 50 + j);
    const fields = [0, 50].map((from) => Array.from({ length: 50 }, (_, j) => from + j));
    const named = (neighbours?: number[][]) => {
      const memory = createMemory({ inputs: 100, levels: [{ fields, neighbours, q: 8, k: 16 }], seed: 2 });
      for (const [i, from] of left.entries()) memory.learnSequence([from, right], { label: `${i}` });
      return left.filter((from, i) => {
        const moved = [...from.slice(0, 6), 98, 99].map((j) => (j > 90 ? j - 60 : j));
        return memory.classifySequence([[...new Set(moved)], right]).label === `${i}`;
      }).length;
    };
    expect(named([[1], [0]])).toBe(6);
    expect(named()).toBeLessThan(4);
  });

  it("are other macs of the level, a list for each", () => {
    const make = (neighbours: number[][]) => () =>
      createMemory({
        inputs: 4,
        levels: [
          {
            fields: [
              [0, 1],
              [2, 3],
            ],
            neighbours,
          },
        ],
      });
    expectProblem(make([[1]]), /level 1 has 2 macs, but neighbours of 1; give one list a mac/);
    expectProblem(make([[1], [1]]), /mac 1 of level 1 is its own neighbour/);
    expectProblem(make([[2], []]), /the neighbours of mac 0 of level 1 names unit 2/);
  });
});

describe("one field", () => {
  const rng = random(4);
  const items = Array.from({ length: 30 }, () => subset(rng, 100, 10));
  const filled = (options = {}) => {
    const memory = createMemory({ inputs: 100, seed: 3, ...options });
    const codes = items.map((item, i) => memory.learn(item, { label: i % 2 ? "odd" : "even" }).code);
    return { memory, codes };
  };

  it("stores once, recognises, completes a damaged pattern and tells what is new", () => {
    const { memory, codes } = filled();
    for (const [i, item] of items.entries()) {
      const frame = memory.recognize(item);
      expect(agreement(frame.code, codes[i])).toBe(1);
      expect(frame.familiarity).toBeCloseTo(1, 12);
      const [completed] = memory.recall(item.slice(3), { length: 1 });
      expect(completed.active).toEqual(item);
    }
    const novel = memory.recognize(subset(random(99), 100, 10)).familiarity!;
    expect(novel).toBeLessThan(0.6);
    expect(memory.recognize([]).familiarity).toBeUndefined();
  });

  it("decodes by the share of connected cells", () => {
    const { memory, codes } = filled();
    const [{ up }] = memory.network.macs;
    const cells = cellsOf(memory.network, codes[7]);
    const votes = memory.decode(codes[7]);
    for (let j = 0; j < 100; j++)
      expect(votes[j]).toBeCloseTo(cells.reduce((sum, i) => sum + up.weight(j, i), 0) / cells.length, 12);
    expect(inputsFrom(votes, 1)).toEqual(strongestInputs(votes, 10));
    expect(inputsFrom(votes, 1)).toEqual(items[7]);
  });

  it("classifies by any read-out; uniform codes know their items, too", () => {
    for (const readout of READOUTS) {
      const { memory } = filled({ keepCodes: readout === "nearestCode" });
      for (const [i, item] of items.entries()) {
        const { label, scores } = memory.classify(item, { readout });
        expect(label).toBe(i % 2 ? "odd" : "even");
        expect(scores.map((s) => s.label)).toEqual(["even", "odd"]);
      }
    }
    expectProblem(() => createMemory({ inputs: 3 }).classify([1]), /nothing was stored with a label/);
    expectProblem(
      () => filled().memory.classify(items[0], { readout: "loglik" as "logLik" }),
      /unknown readout "loglik"; known: binary, typical, count, logLik/,
    );
    expect(filled().memory.classify([]).label).toBeUndefined();
  });

  it("finds the nearest codes without looking at the items", () => {
    const { memory, codes } = filled();
    const near = memory.similarityDistribution(items[5], codes);
    expect(near[5]).toBe(1);
    expect(near.filter((x) => x > 0.5)).toHaveLength(1);
  });

  it("stops learning once it is frozen", () => {
    const { memory } = filled();
    memory.freeze();
    const item = subset(random(77), 100, 10);
    const before = memory.report();
    memory.learn(item);
    expect(memory.recognize(item).familiarity).toBeLessThan(0.9);
    expect(memory.report().density).toEqual(before.density);
    expect(memory.report().frozen).toEqual([1]);
    expectProblem(() => memory.freeze(2), /no level 2/);
  });

  it("gives the same memory for the same seed, another for another", () => {
    const codes = (seed: number) => filled({ seed }).codes.map((code) => code.join());
    expect(codes(3)).toEqual(codes(3));
    expect(codes(3)).not.toEqual(codes(4));
  });

  it("samples what it knows, as large as what it knows", () => {
    const { memory } = filled();
    const known = new Set(items.flat());
    for (let s = 0; s < 20; s++) {
      const x = memory.sample();
      expect(x).toHaveLength(10);
      expect(new Set(x).size).toBe(10);
      for (const j of x) expect(known.has(j)).toBe(true);
    }
    expect(createMemory({ inputs: 9 }).sample()).toEqual([]);
  });
});

describe("sequences", () => {
  const rng = random(8);
  const frames = Array.from({ length: 12 }, () => subset(rng, 100, 8));

  it("come back from their first frame, and end where they ended", () => {
    const memory = createMemory({ inputs: 100, preset: "capacity" });
    memory.learnSequence(frames);
    expect(memory.recall(frames[0], { length: 50 }).map((f) => f.active)).toEqual(frames);
    expect(memory.recall(frames[9], { length: 2 }).map((f) => f.active)).toEqual(frames.slice(9, 11));
    const control = createMemory({ inputs: 100, preset: "capacity", rules: { useHorizontal: false } });
    control.learnSequence(frames);
    expect(control.recall(frames[0], { length: 50 })).toHaveLength(1);
  });

  it("tell a frame that repeats by what came before it, which a cue does not have", () => {
    const replayed = (episode: number[][]) => {
      const memory = createMemory({ inputs: 144 });
      memory.learn([3, 17, 42, 80]);
      const learnt = memory.learnSequence(episode).map(({ code }) => code);
      const replay = memory.recall(episode[0], { length: episode.length });
      return { active: replay.map(({ active }) => active), cue: replay[0].frame.code, learnt };
    };
    const inTheMiddle = [
      [1, 2],
      [5, 6],
      [3, 4],
      [5, 6],
      [7, 9],
    ];
    expect(replayed(inTheMiddle).active).toEqual(inTheMiddle);
    const atTheStart = [inTheMiddle[0], inTheMiddle[1], inTheMiddle[0], inTheMiddle[4]];
    const { active, cue, learnt } = replayed(atTheStart);
    expect(active).not.toEqual(atTheStart);
    // The cue's code is mixed of those of its two places.
    expect(cue.every((winner, q) => winner === learnt[0][q] || winner === learnt[2][q])).toBe(true);
    for (const place of [0, 2]) expect(agreement(cue, learnt[place])).toBeLessThan(0.9);
  });

  it("are replayed through two levels, and from above where a mac was silent", () => {
    const fields = patchFields({ columns: 10, rows: 10 }, { size: 5, stride: 5 });
    const replayed = (skip: (t: number, m: number) => boolean) => {
      const memory = createMemory({
        inputs: 100,
        preset: "capacity",
        levels: [{ fields }, { q: 10, k: 16 }],
      });
      const rng = random(6);
      const film = Array.from({ length: 12 }, (_, t) =>
        fields.flatMap((field, m) => (skip(t, m) ? [] : subset(rng, 25, 5).map((i) => field[i]))),
      ).map((f) => f.sort((a, b) => a - b));
      memory.learnSequence(film);
      const played = memory.recall(film[0], { length: 12 });
      return film.map((f, t) => played[t]?.active.join() === f.join());
    };
    expect(replayed(() => false)).toEqual(new Array(12).fill(true));
    const interrupted = replayed((t, m) => t === 2 && m === 0);
    expect(interrupted.slice(0, 3).concat(interrupted.slice(8))).toEqual(new Array(7).fill(true));
  });

  it("in a wrong order are told from the right one by all the evidence, not by what back-off accepts", () => {
    const memory = createMemory({ inputs: 100, rules: { backoff: [0.96, 0.93, 0.9] } });
    memory.learnSequence(frames);
    const wrong = memory.recognizeSequence([...frames].reverse()).slice(1);
    const right = memory.recognizeSequence(frames).slice(1);
    for (const f of right) expect(f.orderFamiliarity).toBeGreaterThan(0.9);
    for (const f of wrong) {
      expect(f.orderFamiliarity).toBeLessThan(0.5);
      expect(f.familiarity).toBeGreaterThan(0.9);
    }
  });

  it("hold a code for its persistence", () => {
    const memory = createMemory({ inputs: 100, levels: [{ persistence: 3 }] });
    const states = memory.learnSequence(frames.slice(0, 7)).map((f) => f.macs[0].state);
    expect(states).toEqual(["active", "held", "held", "active", "held", "held", "active"]);
  });

  it("fade where they are told to", () => {
    const decay = { kind: "convex", horizon: 20, kappa: 0.5 } as const;
    const memory = createMemory({ inputs: 100, preset: "capacity", rules: { freezeAt: null }, decay });
    memory.learn(frames[0]);
    const g = [];
    for (let t = 1; t < 25; t++) {
      g.push(memory.recognize(frames[0]).familiarity!);
      memory.learn(
        subset(random(t), 50, 4)
          .map((j) => j + 50)
          .filter((j) => !frames[0].includes(j)),
      );
    }
    expect(g[0]).toBeLessThan(1);
    for (let t = 1; t < 19; t++) expect(g[t]).toBeLessThan(g[t - 1]);
    expect(g.at(-1)).toBeLessThan(0.2);
    expectProblem(() => createMemory({ inputs: 9, decay }), /decay goes with raw evidence/);
  });

  it("wait for their level's first frame", () => {
    const memory = createMemory({ inputs: 100, levels: [{}, { minFrame: 3, q: 5, k: 5 }] });
    const states = memory.learnSequence(frames.slice(0, 4)).map((f) => f.macs[1].state);
    expect(states).toEqual(["silent", "silent", "active", "held"]);
  });
});

test("read-outs of the label field", () => {
  const { counts, items, active, binary, count, logLik } = vectors.labelReadout;
  const field = createLabelField(counts.length);
  for (const [c, n] of items.entries())
    for (let i = 0; i < n; i++)
      learnLabel(
        field,
        `class ${c}`,
        counts.flatMap((row: number[], cell: number) => (i < row[c] ? [cell] : [])),
      );
  expect(Array.from(labelScores(field, active, "binary"))).toEqual(binary);
  for (const [readout, expected] of [
    ["count", count],
    ["logLik", logLik],
  ] as const)
    labelScores(field, active, readout).forEach((x, c) => expect(x).toBeCloseTo(expected[c], 9));
  // Cells 0 and 3 are active in 3/4 and 2/4 of the first class, in 3/9 and 4/9 of all items; cells 1 and 2 in 2/5 and 4/5
  // of the second class, in 3/9 and 4/9 of all.
  expect(Array.from(labelScores(field, [0, 3], "typical"))).toEqual([2, 0]);
  expect(Array.from(labelScores(field, [1, 2], "typical"))).toEqual([0, 2]);
  // All cells, silent ones included.
  const p = (cell: number, c: number) => (counts[cell][c] + 0.5) / (items[c] + 1);
  labelScores(field, active, "bernoulli").forEach((x, c) => {
    let expected = 0;
    for (let cell = 0; cell < counts.length; cell++)
      expected += Math.log(active.includes(cell) ? p(cell, c) : 1 - p(cell, c));
    expect(x).toBeCloseTo(expected, 9);
  });
});

test("frozen cells keep their weights to the classes; counts go on", () => {
  const rules = { freezeAt: 0.5, freezeBy: "cell", learning: "argmax" } as const;
  const memory = createMemory({ inputs: 8, levels: [{ q: 1, k: 1 }], preset: "classic", rules });
  memory.learn([0, 1], { label: "early" });
  memory.learn([2, 3, 4], { label: "last" });
  memory.learn([5], { label: "late" });
  // The only cell knows more than half of the inputs from the second item on.
  expect(memory.classify([0], { readout: "binary" }).scores.map(({ score }) => score)).toEqual([1, 0, 0]);
  expect(memory.classify([0], { readout: "count" }).scores.map(({ score }) => score)).toEqual([1, 1, 1]);
  const again = memoryFromBytes(memory.toBytes());
  expect(again.labels).toEqual(memory.labels);
});

test("weights are counted as published", () => {
  for (const { inputs, Q, K, U, H, total, D } of vectors.weightCounts) {
    const memory = createMemory({ inputs, levels: [{ q: Q, k: K }], rules: { freezeAt: null } });
    memory.learn([0]);
    expect(memory.report().weights).toEqual([U]);
    memory.learnSequence([[0], [1]]);
    expect(memory.report().weights).toEqual([total ?? U + H]);
    if (D) expect(D, "the same matrix upwards and downwards").toBe(U);
  }
});

test("receptive fields", () => {
  const patches = patchFields({ columns: 16, rows: 24 }, { size: 6, stride: 2 });
  expect(patches).toHaveLength(60);
  expect(patches[1].slice(0, 7)).toEqual([2, 3, 4, 5, 6, 7, 18]);
  expect(Math.max(...patches.flat())).toBe(16 * 24 - 1);
  expect(patchFields({ columns: 4, rows: 4 }, { size: 2, stride: 2, channels: 3 })[3]).toEqual([
    30, 31, 32, 33, 34, 35, 42, 43, 44, 45, 46, 47,
  ]);
  const near = radiusFields({ columns: 5, rows: 5 }, { columns: 3, rows: 3 }, { radius: 0.26 });
  expect(near[4]).toEqual([7, 11, 12, 13, 17]);
  expect(near[0]).toEqual([0, 1, 5]);
  const shifted = radiusFields(
    { columns: 5, rows: 5 },
    { columns: 3, rows: 3 },
    { radius: 0.26, hexagonal: true },
  );
  expect([shifted[0], shifted[3]]).toEqual([near[0], [6, 10, 11, 12, 16]]);
  expectProblem(() => patchFields({ columns: 4, rows: 9 }, { size: 5, stride: 1 }), /do not fit/);
  expectProblem(
    () => radiusFields({ columns: 2, rows: 2 }, { columns: 3, rows: 3 }, { radius: 0.1 }),
    /enlarge/,
  );
});

test("votes of several macs are averaged", () => {
  const memory = createMemory({
    inputs: 9,
    levels: [
      {
        fields: [
          [0, 1, 2, 3],
          [3, 4, 5, 6, 7, 8],
        ],
        q: 4,
        k: 4,
      },
    ],
  });
  const { code } = memory.learn([0, 3, 8]);
  expect(Array.from(decodeVotes(memory.network, code))).toEqual([1, 0, 0, 1, 0, 0, 0, 0, 1]);
  const { code: half } = memory.learn([4]);
  expect(Array.from(half.subarray(0, 4))).toEqual([-1, -1, -1, -1]);
  expect(decodeVotes(memory.network, half)[4]).toBe(1);
});

test("average linkage merges what is close", () => {
  const places = [0, 10, 1, 11, 2, 30];
  const group = averageLinkage(6, 3, (i, j) => -Math.abs(places[i] - places[j]));
  expect(group).toEqual([0, 1, 0, 1, 0, 2]);
});

test("impossible memories and patterns are refused in one line", () => {
  expectProblem(() => createMemory({ inputs: 0 }), /inputs is 0/);
  expectProblem(() => createMemory({ inputs: 9, levels: [] }), /levels is empty/);
  expectProblem(() => createMemory({ inputs: 9, levels: [{ q: 1.5 }] }), /q of level 1 is 1.5/);
  expectProblem(
    () => createMemory({ inputs: 9, levels: [{ fields: [[9]] }] }),
    /field 0 of level 1 names unit 9/,
  );
  expectProblem(
    () => createMemory({ inputs: 9, levels: [{}, { fields: [[1]] }] }),
    /field 0 of level 2 names unit 1/,
  );
  expectProblem(() => createMemory({ inputs: 9, levels: [{ band: [5, 2] }] }), /band of level 1/);
  expectProblem(
    () => createMemory({ inputs: 9, keepCode: true } as MemoryOptions),
    /unknown option "keepCode"; known: inputs, levels, .*keepCodes/,
  );
  expectProblem(
    () => createMemory({ inputs: 9, levels: [{}, { Q: 3 } as object] }),
    /unknown option of level 2 "Q"; known: fields, neighbours, q, k/,
  );
  const memory = createMemory({ inputs: 9 });
  expectProblem(() => memory.learn([1, 9]), /a pattern names unit 9/);
  expectProblem(() => memory.learn([1, 1]), /a pattern names unit 1 twice/);
  expectProblem(() => memory.learn([0.5]), /whole numbers from 0 to 8/);
});
