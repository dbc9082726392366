import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { nextFrames } from "../../protocols/support/sparsey/sequence-memories.ts";
import { createHtmMemory, createPoolerMemory } from "../../src/memory/baselines/htm/htm.ts";
import { createSpatialPooler } from "../../src/memory/baselines/htm/spatial-pooler.ts";
import { createTemporalMemory } from "../../src/memory/baselines/htm/temporal-memory.ts";
import { random } from "../../src/random.ts";
import { largestError, subset } from "./support.ts";

describe("the spatial pooler", () => {
  /** Four columns over three inputs with these permanences, one row an input; two columns win. */
  const byHand = (options = {}) => {
    const pooler = createSpatialPooler(3, { columns: 4, activeColumns: 2, ...options });
    pooler.permanences.set([0.5, 0.1, 0.09, 0.3, 0.5, 0.2, 0.6, -1, 0.01, 0.99, 0.02, 0.12]);
    return pooler;
  };

  it("counts connected active inputs, and the columns with most win", () => {
    const pooler = byHand();
    // Overlaps with 0 and 1: 2, 2, 1, 1; with 2: 0, 1, 0, 1; with 0 and 2: 1, 2, 0, 2.
    expect(pooler.compute([0, 1], false)).toEqual([0, 1]);
    expect(pooler.compute([2], false)).toEqual([1, 3]);
    expect(pooler.compute([0, 2], false)).toEqual([1, 3]);
    expect(pooler.compute([], false)).toEqual([]);
    expect(byHand({ stimulusThreshold: 1 }).compute([2], false)).toEqual([]);
  });

  it("moves the permanences of the winners alone, within 0 and 1, and never those out of reach", () => {
    const pooler = byHand({ minOverlapDutyCycle: 0 });
    expect(pooler.compute([2], true)).toEqual([1, 3]);
    const expected = [0.5, 0.092, 0.09, 0.292, 0.5, 0.192, 0.6, -1, 0.01, 1, 0.02, 0.17];
    expect(largestError(pooler.permanences, expected)).toBeLessThan(1e-15);
    pooler.compute([2], false);
    expect(largestError(pooler.permanences, expected)).toBeLessThan(1e-15);
  });

  it("names the mean permanence of each input to some columns", () => {
    expect(largestError(byHand().expectedInputs([1, 3]), [0.2, 0.1, 0.555])).toBeLessThan(1e-15);
  });

  it("lends a tenth of the connected permanence to columns that never see anything", () => {
    const pooler = byHand({ minOverlapDutyCycle: 0.5 });
    pooler.compute([2], true);
    // Columns 0 and 2 were not connected to it, 1 and 3 were and have won.
    const expected = [0.51, 0.092, 0.1, 0.292, 0.51, 0.192, 0.61, -1, 0.02, 1, 0.03, 0.17];
    expect(largestError(pooler.permanences, expected)).toBeLessThan(1e-15);
  });

  it("boosts by exp(β(mean − own duty cycle))", () => {
    // Overlaps with 0 and 1 are 2, 2, 1, 1. Columns 0 and 1 have won once in one: duty cycles 1, 1, 0, 0, mean 0.5.
    // Boosted: 2·exp(−β/2) against exp(β/2), equal at β = ln 2.
    for (const [boostStrength, winners] of [
      [0.68, [0, 1]],
      [0.7, [2, 3]],
    ] as const) {
      const pooler = byHand({ boostStrength, activeIncrement: 0, inactiveDecrement: 0 });
      expect(pooler.compute([0, 1], true)).toEqual([0, 1]);
      expect(pooler.compute([0, 1], false)).toEqual(winners);
    }
  });

  it("starts with so many potential synapses, half of them connected", () => {
    const { permanences, columns } = createSpatialPooler(200, { potentialShare: 0.3 });
    for (let c = 0; c < columns; c += 97) {
      const own = Array.from({ length: 200 }, (_, j) => permanences[j * columns + c]).filter((p) => p >= 0);
      expect(own).toHaveLength(60);
    }
    const potential = permanences.filter((p) => p >= 0);
    expect(Math.abs(potential.filter((p) => p >= 0.1).length / potential.length - 0.5)).toBeLessThan(0.01);
  });

  it("similar patterns have similar columns, others do not", () => {
    const rng = random(1);
    const pooler = createSpatialPooler(144);
    const item = subset(rng, 144, 12);
    const near = [
      ...item.slice(0, 10),
      ...subset(rng, 144, 30)
        .filter((j) => !item.includes(j))
        .slice(0, 2),
    ];
    const columns = new Set(pooler.compute(item, false));
    const shared = (other: number[]) => pooler.compute(other, false).filter((c) => columns.has(c)).length;
    expect(columns.size).toBe(40);
    expect(shared(near)).toBeGreaterThan(shared(subset(rng, 144, 12)) + 8);
  });
});

describe("the temporal memory", () => {
  /** Three columns of two cells; one active synapse is enough. */
  const small = (options = {}) =>
    createTemporalMemory({
      columns: 3,
      cellsPerColumn: 2,
      activationThreshold: 1,
      learningThreshold: 1,
      ...options,
    });
  const episode = (memory: ReturnType<typeof small>, columns: number[], learn = true) => {
    memory.reset();
    for (const column of columns) memory.compute([column], learn);
  };
  const synapses = (memory: ReturnType<typeof small>) =>
    memory.segments.map((segment) => [...segment.synapses.values()].map((p) => Math.round(100 * p) / 100));

  it("bursts where nothing was expected, and grows one segment for each such column but the first", () => {
    const memory = small();
    memory.compute([0], true);
    expect([...memory.activeCells()]).toEqual([0, 1]);
    const [first] = memory.winnerCells();
    expect(memory.segments).toHaveLength(0);
    memory.compute([1], true);
    expect([...memory.activeCells()]).toEqual([2, 3]);
    expect(memory.segments).toHaveLength(1);
    expect(memory.segments[0].cell).toBe(memory.winnerCells()[0]);
    expect([...memory.segments[0].synapses]).toEqual([[first, 0.21]]);
  });

  it("expects a column from the presentation on in which its synapses connect, and then one cell of it", () => {
    const memory = small();
    // 0.21, then 0.1 more each time: 0.31, 0.41, 0.51 ≥ 0.5.
    for (const [times, permanence] of [0.21, 0.31, 0.41, 0.51].entries()) {
      episode(memory, [0, 1]);
      expect(synapses(memory)[0][0]).toBe(permanence);
      episode(memory, [0], false);
      expect(memory.predictedColumns()).toEqual(times < 3 ? [] : [1]);
    }
    memory.compute([1], false);
    expect([...memory.activeCells()]).toEqual([memory.segments[0].cell]);
    expect(memory.segments).toHaveLength(1);
  });

  it("weakens synapses whose cell was silent when the segment was right", () => {
    const memory = small({ synapseSampleSize: 2 });
    for (let i = 0; i < 4; i++) {
      memory.reset();
      memory.compute([0, 2], true);
      memory.compute([1], true);
    }
    expect(synapses(memory)).toEqual([[0.51, 0.51]]);
    episode(memory, [0, 1]);
    // From column 0: + 0.1; from the silent column 2: − 0.1; the sample is not full: a synapse from the new winner.
    const [{ synapses: own }] = memory.segments;
    const of = (column: number) =>
      [...own].filter(([cell]) => Math.floor(cell / 2) === column).map(([, p]) => Math.round(100 * p) / 100);
    expect(of(2)).toEqual([0.41]);
    expect(of(0)[0]).toBe(0.61);
    expect(own.size).toBeGreaterThanOrEqual(2);
  });

  it("weakens what expected a column that stays silent, if told to", () => {
    for (const [predictedDecrement, left] of [
      [0, 0.51],
      [0.07, 0.44],
    ]) {
      const memory = small({ predictedDecrement });
      for (let i = 0; i < 4; i++) episode(memory, [0, 1]);
      episode(memory, [0, 2]);
      expect(synapses(memory)[0]).toEqual([left]);
    }
  });

  it("does not change where it does not learn", () => {
    const memory = small({ predictedDecrement: 0.1 });
    for (let i = 0; i < 4; i++) episode(memory, [0, 1, 2]);
    const before = JSON.stringify(synapses(memory));
    episode(memory, [0, 2, 1, 1, 0], false);
    expect(JSON.stringify(synapses(memory))).toBe(before);
  });

  it("tells two contexts apart: 0 1 2 and 3 1 4; without cells to choose from it cannot", () => {
    const expectedAfter = (cellsPerColumn: number) => {
      const memory = createTemporalMemory({
        columns: 50,
        cellsPerColumn,
        activationThreshold: 8,
        learningThreshold: 6,
        initialPermanence: 0.6,
      });
      const set = (symbol: number) => Array.from({ length: 10 }, (_, i) => 10 * symbol + i);
      for (let i = 0; i < 5; i++)
        for (const order of [
          [0, 1, 2],
          [3, 1, 4],
        ]) {
          memory.reset();
          for (const symbol of order) memory.compute(set(symbol), true);
        }
      return [0, 3].map((start) => {
        memory.reset();
        memory.compute(set(start), false);
        memory.compute(set(1), false);
        return [...new Set(memory.predictedColumns().map((c) => Math.floor(c / 10)))];
      });
    };
    expect(expectedAfter(8)).toEqual([[2], [4]]);
    expect(expectedAfter(1)).toEqual([
      [2, 4],
      [2, 4],
    ]);
  });

  it("finds active segments as a look at every synapse does", () => {
    fc.assert(
      fc.property(fc.nat(), (seed) => {
        const rng = random(seed);
        const memory = createTemporalMemory({
          columns: 12,
          cellsPerColumn: 3,
          activationThreshold: 2,
          learningThreshold: 1,
          synapseSampleSize: 4,
          predictedDecrement: 0.02,
          seed,
        });
        for (let t = 0; t < 60; t++) {
          if (rng.uniform() < 0.1) memory.reset();
          memory.compute(subset(rng, 12, 1 + rng.integer(4)), rng.uniform() < 0.9);
          const active = memory.activeCells();
          const expected = memory.segments
            .filter(
              ({ synapses: own }) => [...own].filter(([cell, p]) => p >= 0.5 && active.has(cell)).length >= 2,
            )
            .map(({ cell }) => Math.floor(cell / 3));
          expect(memory.predictedColumns()).toEqual([...new Set(expected)].sort((a, b) => a - b));
        }
      }),
      { numRuns: 20 },
    );
  });
});

describe("hierarchical temporal memory as a memory", () => {
  const rng = random(7);
  const items = Array.from({ length: 4 }, () => Array.from({ length: 6 }, () => subset(rng, 144, 12)));
  const pooler = { columns: 1024 };

  it("expects the next frame after some presentations, nothing after one; another order never", () => {
    const memory = createHtmMemory(144, {
      pooler,
      temporal: { activationThreshold: 9, learningThreshold: 7 },
    });
    const present = (times: number) => {
      for (let i = 0; i < times; i++) for (const frames of items) memory.learnSequence(frames);
    };
    const right = (orders: readonly number[][][]) => {
      const asked = orders.flatMap((frames) =>
        memory.predict(frames.slice(0, -1), 12).map((next, t) => next.join() === frames[t + 1].join()),
      );
      return asked.filter(Boolean).length / asked.length;
    };
    present(1);
    expect(right(items)).toBe(0);
    present(9);
    expect(right(items)).toBeGreaterThan(0.8);
    expect(right(items.map((frames) => [...frames].reverse()))).toBe(0);
  });

  it("the pooler alone gives a pattern back from its columns after some presentations", () => {
    const memory = createPoolerMemory(144, pooler);
    const patterns = items.flat();
    const exact = () =>
      patterns.filter((p) => memory.recognize(p, 12).join() === p.join()).length / patterns.length;
    const present = (times: number) => {
      for (let i = 0; i < times; i++) for (const p of patterns) memory.learn(p);
    };
    present(1);
    expect(exact()).toBeLessThan(0.2);
    present(19);
    expect(exact()).toBeGreaterThan(0.8);
  });

  it("codes expect after one presentation what it does not; nobody expects what was not stored", () => {
    const task = { sequences: 4 };
    const once = { presentations: [1] };
    expect(nextFrames(0, "robust", task, once)[1]).toBeGreaterThan(0.95);
    expect(nextFrames(0, "HTM", task, once)[1]).toBe(0);
    expect(nextFrames(0, "HTM, connected at once", task, once)[1]).toBeGreaterThan(0.9);
    for (const name of ["robust", "HTM, connected at once"])
      expect(nextFrames(0, name, task, { ...once, stored: false })[1]).toBeLessThan(0.2);
  });
});
