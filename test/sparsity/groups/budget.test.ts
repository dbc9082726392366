import { existsSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { describe, expect, it } from "vitest";
import { importModel } from "../../../src/engine/onnx/import.ts";
import { resnet } from "../../../src/nn/models/resnet.ts";
import { smallCnn } from "../../../src/nn/models/small-cnn.ts";
import { transformer } from "../../../src/nn/models/transformer.ts";
import { vgg } from "../../../src/nn/models/vgg.ts";
import { Problem } from "../../../src/problem.ts";
import type { Random } from "../../../src/random.ts";
import { random } from "../../../src/random.ts";
import { countsWithin, parseBudget, planBudget, roundedUp } from "../../../src/runs/budget.ts";
import { accountModel } from "../../../src/sparsity/accounting.ts";
import { createBudget } from "../../../src/sparsity/groups/budget.ts";
import { chooseWithin, costOf, leastCost, spareLayers } from "../../../src/sparsity/groups/choose.ts";
import type { GroupSet } from "../../../src/sparsity/groups/group-set.ts";
import { findGroups } from "../../../src/sparsity/groups/kinds.ts";
import type { Ledger, Measure } from "../../../src/sparsity/groups/ledger.ts";
import { createLedger } from "../../../src/sparsity/groups/ledger.ts";
import { zeroGroups } from "../../../src/sparsity/groups.ts";
import { shrink } from "../../../src/sparsity/shrink.ts";
import { shrinkBranches } from "../../../src/sparsity/shrink-branches.ts";
import * as nets from "../shrink/models.ts";

const shared = process.env.FILIGREE_SHARED ?? join(import.meta.dirname, "../../../../shared");
const mnist8 = join(shared, "data/models/onnx/mnist_8/model.onnx");

const sectionsOf = (sets: readonly GroupSet[]) =>
  sets.map(({ name, partition }) => ({ name, groups: partition.groups }));

/** Which groups live, at least one a set. */
function randomLive(sections: readonly { groups: number }[], rng: Random, share = 0.5): Uint8Array {
  return Uint8Array.from(
    sections.flatMap(({ groups }) => {
      const own = Array.from({ length: groups }, () => Number(rng.uniform() < share));
      own[rng.integer(groups)] = 1;
      return own;
    }),
  );
}

function isRefused(act: () => unknown): boolean {
  try {
    act();
    return false;
  } catch (error) {
    if (error instanceof Problem) return true;
    throw error;
  }
}

describe("a ledger", () => {
  const graphs = {
    "mini-VGG": nets.miniVgg(random(3)),
    "mini-ResNet": nets.miniResNet(random(3)),
    "mini-MobileNet": nets.miniMobileNet(random(3)),
    "mini-DenseNet": nets.miniDenseNet(random(3)),
    "grouped convolutions": nets.groupedNet(random(3)),
    branches: nets.branches(random(3)),
    attention: nets.attention(random(3)),
    transformer: transformer({ vocabulary: 7, context: 4, width: 12, heads: 3, mlpWidth: 10, blocks: 1 }),
  };

  it.each(Object.entries(graphs))("knows to the last one what any shrunk %s costs", (_, graph) => {
    const rng = random(4);
    const sets = findGroups(graph, "filter");
    for (const measure of ["parameters", "macs", "bytes"] as const) {
      const ledger = createLedger(graph, sets, measure);
      expect(ledger.cost()).toBe(accountModel(graph).total[measure]);
      for (let trial = 0; trial < 4; ) {
        const live = randomLive(sectionsOf(sets), rng, 0.7);
        let start = 0;
        const masks = new Map(
          sets.map((s) => [s.stream!, live.subarray(start, (start += s.partition.groups))] as const),
        );
        // A slice of the channels may have lost all of its own: that is refused, and drawn again.
        if (isRefused(() => shrink(graph, masks))) continue;
        trial++;
        expect(costOf(ledger, live)).toBe(accountModel(shrink(graph, masks)).total[measure]);
      }
      expect(ledger.cost()).toBe(accountModel(graph).total[measure]);
    }
  });

  it("refuses a measure that there is not", () => {
    const graph = smallCnn({ inputShape: [1, 16, 16], classes: 10 });
    expect(() => createLedger(graph, findGroups(graph, "filter"), "flops" as Measure)).toThrow(
      'there is no measure "flops"; take groups, parameters, macs, bytes',
    );
  });

  it("counts weights that stay as zeros by what a sparse kernel would do", () => {
    const graph = smallCnn({ inputShape: [1, 16, 16], classes: 10 });
    const sets = findGroups(graph, "kernel");
    const macs = createLedger(graph, sets, "macs");
    const before = macs.cost();
    // The last kernel of conv2 slides over 8 × 8 places with 9 weights.
    macs.remove(16 + 512 - 1);
    expect(before - macs.cost()).toBe(9 * 64);
    const parameters = createLedger(graph, findGroups(graph, "block:3x5"), "parameters");
    parameters.remove(0);
    expect(parameters.cost()).toBe(38282 - 15);
    expect(() => createLedger(graph, sets, "bytes")).toThrow(/stay in the file as zeros/);
  });

  it("knows what a residual branch costs", () => {
    const graph = resnet({ inputShape: [3, 8, 8], classes: 3, widths: [4, 6], blocks: [2, 2] });
    const sets = findGroups(graph, "layer");
    const keep = Uint8Array.from({ length: sets[0].partition.groups }, (_, j) => Number(j !== 1));
    for (const measure of ["parameters", "macs", "bytes"] as const) {
      const ledger = createLedger(graph, sets, measure);
      const arrays = Object.fromEntries([...graph.parameters].map(([name, t]) => [name, t.data]));
      zeroGroups(sets[0].partition, arrays, keep);
      expect(costOf(ledger, keep)).toBe(accountModel(shrinkBranches(graph).graph).total[measure]);
    }
  });
});

describe("what is kept within a budget", () => {
  const graph = nets.miniResNet(random(6));
  const sets = findGroups(graph);
  const sections = sectionsOf(sets);
  const total = sections.reduce((n, s) => n + s.groups, 0);

  /** The groups of each section that live. */
  const counts = (kept: Uint8Array) => {
    let start = 0;
    return sections.map(({ groups }) => kept.subarray(start, (start += groups)).reduce((a, b) => a + b, 0));
  };

  it.each(["groups", "parameters", "macs", "bytes"] as const)(
    "is never above it, and nothing that could stay is gone (%s)",
    (measure) => {
      const rng = random(7);
      const ledger = createLedger(graph, sets, measure);
      for (let trial = 0; trial < 25; trial++) {
        const scores = Float64Array.from({ length: total }, () => (rng.uniform() < 0.15 ? 0 : rng.uniform()));
        const least = leastCost({ ledger, sections });
        const limit = least + rng.uniform() * (ledger.cost() - least);
        const kept = chooseWithin({ ledger, sections, limit }, scores);
        // Where all groups of a section have died the rest may stay; here one of each lives.
        if (counts(Uint8Array.from(scores, (s) => Number(s > 0))).includes(0)) continue;
        expect(costOf(ledger, kept)).toBeLessThanOrEqual(limit * (1 + 1e-9));
        expect(Math.min(...counts(kept))).toBeGreaterThanOrEqual(1);
        // Of each section the best that is gone: it must not fit.
        let start = 0;
        for (const { groups } of sections) {
          const own = Array.from({ length: groups }, (_, i) => start + i);
          start += groups;
          const gone = own.filter((j) => !kept[j] && scores[j] > 0).sort((a, b) => scores[b] - scores[a]);
          const kin = own.filter((j) => kept[j]);
          if (gone.length === 0) continue;
          expect(scores[gone[0]]).toBeLessThanOrEqual(Math.min(...kin.map((j) => scores[j])));
          const more = kept.slice();
          more[gone[0]] = 1;
          expect(costOf(ledger, more)).toBeGreaterThan(limit);
        }
      }
    },
  );

  it("keeps multiples in every section, or all", () => {
    const rng = random(9);
    const net = smallCnn({ inputShape: [1, 16, 16], classes: 10, widths: [20, 32, 64] });
    const own = findGroups(net);
    const ledger = createLedger(net, own, "macs");
    for (const share of [0.9, 0.6, 0.35]) {
      const scores = Float64Array.from({ length: 116 }, () => rng.uniform() + 0.01);
      const choice = { ledger, sections: sectionsOf(own), limit: share * ledger.cost(), round: 8 };
      const kept = chooseWithin(choice, scores);
      expect(costOf(ledger, kept)).toBeLessThanOrEqual(choice.limit);
      const widths = [kept.subarray(0, 20), kept.subarray(20, 52), kept.subarray(52)].map((k) =>
        k.reduce((a, b) => a + b, 0),
      );
      widths.forEach((w, i) => expect(w % 8 === 0 || w === [20, 32, 64][i]).toBe(true));
    }
    expect([5, 8, 13, 20].map((k) => roundedUp(k, 20, 8))).toEqual([8, 8, 16, 20]);
  });

  it("inside a section the longest run of the largest that fits, found by trying all", () => {
    const rng = random(10);
    for (let trial = 0; trial < 40; trial++) {
      const m = 10;
      const costs = Array.from({ length: m }, () => 1 + rng.integer(5));
      const scores = Float64Array.from({ length: m }, () => rng.uniform() + 0.05);
      let cost = costs.reduce((a, b) => a + b, 0);
      const ledger: Ledger = {
        cost: () => cost,
        remove: (j) => {
          cost -= costs[j];
        },
        restore: (j) => {
          cost += costs[j];
        },
      };
      const limit = Math.ceil(0.6 * cost);
      const kept = chooseWithin({ ledger, sections: [{ name: "all", groups: m }], limit }, scores);
      const order = [...scores.keys()].sort((a, b) => scores[b] - scores[a]);
      let best: number[] = [];
      for (let k = 1; k <= m; k++)
        if (order.slice(0, k).reduce((sum, j) => sum + costs[j], 0) <= limit) best = order.slice(0, k);
      expect([...kept]).toEqual(costs.map((_, j) => Number(best.includes(j))));
    }
  });

  it("one whole budget: K and costs are the tangent at what lives, which never asks for too much", () => {
    const rng = random(12);
    for (const measure of ["parameters", "macs"] as Measure[]) {
      const ledger = createLedger(graph, sets, measure);
      const limit = 0.5 * ledger.cost();
      const budget = createBudget({ ledger, sections, limit });
      const all = new Uint8Array(total).fill(1);
      const { k, c } = budget.at(all);
      for (let trial = 0; trial < 20; trial++) {
        const live = randomLive(sections, rng, 0.3 + 0.6 * rng.uniform());
        const spent = c!.reduce((sum, cost, j) => sum + live[j] * cost, 0);
        // Whatever the tangent refuses is really too much.
        if (spent > k) expect(costOf(ledger, live)).toBeGreaterThan(limit);
        expect(budget.met(live)).toBe(costOf(ledger, live) <= limit);
      }
    }
  });

  it("no layer falls below half of an equal share, whatever its groups are worth for their cost", () => {
    const net = vgg({ inputShape: [3, 16, 16], classes: 10, batchNorm: true });
    const own = findGroups(net);
    const ledger = createLedger(net, own, "macs");
    const choice = { ledger, sections: sectionsOf(own), limit: 0.3 * ledger.cost() };
    const groups = own.map((s) => s.partition.groups);
    // As after batch norms: no norm says much.
    const rng = random(5);
    const norms = Float64Array.from(
      { length: groups.reduce((a, b) => a + b) },
      () => 1 + 0.05 * rng.uniform(),
    );
    const sharesIn = (kept: Uint8Array) => {
      let start = 0;
      return groups.map((m) => kept.subarray(start, (start += m)).reduce((a, b) => a + b, 0) / m);
    };
    // Control: left to themselves, costs decide, and a layer keeps one channel.
    expect(Math.min(...sharesIn(chooseWithin(choice, norms)))).toBeLessThan(0.05);
    const sections = spareLayers(choice);
    const kept = chooseWithin({ ...choice, sections }, norms);
    expect(costOf(ledger, kept)).toBeLessThanOrEqual(choice.limit);
    // Work goes with the square of an equal share, but for the first layer.
    const equal = Math.sqrt(0.3);
    for (const share of sharesIn(kept)) expect(share).toBeGreaterThan(0.5 * equal - 0.04);
    expect(Math.max(...sharesIn(kept))).toBeGreaterThan(equal + 0.1);
    const marks = createBudget({ ...choice, sections }).spared!(norms);
    expect(sharesIn(marks)).toEqual(sections.map(({ least, groups: m }) => least! / m));
  });

  it("spares the largest group of every layer", () => {
    const ledger = createLedger(graph, sets, "groups");
    const { spared } = createBudget({ ledger, sections, limit: total / 2 });
    const rng = random(2);
    const norms = Float64Array.from({ length: total }, () => rng.uniform());
    const marks = spared!(norms);
    let start = 0;
    for (const { groups } of sections) {
      const own = norms.subarray(start, start + groups);
      expect([...marks.subarray(start, start + groups)]).toEqual(
        [...own].map((n) => Number(n === Math.max(...own))),
      );
      start += groups;
    }
  });
});

describe("a budget in words", () => {
  it.each([
    ["macs=0.3", { measure: "macs", amount: 0.3, isShare: true, batch: 1 }],
    ["macs=30%", { measure: "macs", amount: 0.3, isShare: true, batch: 1 }],
    ["parameters=20k", { measure: "parameters", amount: 20000, isShare: false, batch: 1 }],
    ["bytes=1.5MB", { measure: "bytes", amount: 1.5e6, isShare: false, batch: 1 }],
    ["groups=120", { measure: "groups", amount: 120, isShare: false, batch: 1 }],
    ["ms=0.5", { measure: "ms", amount: 0.5, isShare: false, batch: 1 }],
    ["ms@64=60%", { measure: "ms", amount: 0.6, isShare: true, batch: 64 }],
  ])("%s", (text, expected) => {
    const { amount, ...rest } = parseBudget(text);
    expect(amount).toBeCloseTo(expected.amount, 12);
    expect({ ...rest, amount: expected.amount }).toEqual(expected);
  });

  it.each([
    "macs",
    "macs=",
    "flops=0.3",
    "macs=-1",
    "macs=0",
    "macs@64=0.3",
    "ms=3k",
    "macs=2kB",
    "macs=130%",
  ])("%s is refused", (text) => expect(() => parseBudget(text)).toThrow(/is no budget|at most 100 %/));

  it.skipIf(!existsSync(mnist8))(
    "an imported network in blocks of 8 has 60 % of its MACs at the least",
    () => {
      const graph = importModel(readFileSync(mnist8));
      const sets = findGroups(graph);
      // conv1 has 8 filters on 1 channel, conv2 16 on 8, 5×5 on 28² and 14²: 471,680 with 8 and 8.
      expect(() => planBudget(graph, sets, parseBudget("macs=0.5"), { round: 8 })).toThrow(
        "a budget of 393,280 macs cannot be met: with 8 groups a layer 471,680 are left, 60.0 % of 786,560",
      );
      const choice = planBudget(graph, sets, parseBudget("macs=0.6"), { round: 8 });
      expect(Object.values(countsWithin(graph, sets, choice))).toEqual([8, 8]);
      // Control: without blocks half is reached, by widths that no block fits.
      const free = countsWithin(graph, sets, planBudget(graph, sets, parseBudget("macs=0.5")));
      expect(Object.values(free).every((k) => k % 8 === 0)).toBe(false);
    },
  );

  it("one that nothing meets names the least, with rounding too", () => {
    const graph = smallCnn({ inputShape: [1, 16, 16], classes: 10 });
    const sets = findGroups(graph);
    expect(() => planBudget(graph, sets, parseBudget("macs=9G"))).toThrow(
      /a budget of 9,000,000,000 macs is more than the [\d,]+ of the whole network; ask for less/,
    );
    expect(() => planBudget(graph, sets, parseBudget("groups=2"))).toThrow(
      'a budget of 2 groups cannot be met: with one group a layer 3 are left, 2.68 % of 112; channels of fc2 have to stay: it is tied to the graph\'s output "fc2/Gemm"; ask for 3 or more',
    );
    expect(() => planBudget(graph, sets, parseBudget("macs=10%"), { round: 8 })).toThrow(
      /with 8 groups a layer/,
    );
    expect(() => planBudget(graph, sets, parseBudget("ms=1"))).toThrow(/a budget in ms needs measurements/);
  });
});
