import fc from "fast-check";
import { describe, expect, test } from "vitest";
import { random } from "../../../src/random.ts";
import { logit, softplus } from "../../../src/sparsity/turbo-vbi/log-odds.ts";
import { createModuleA } from "../../../src/sparsity/turbo-vbi/module-a.ts";
import {
  addTransitions,
  chainPass,
  chainPrior,
  likeliestChain,
  noTransitions,
  stationaryChain,
} from "../../../src/sparsity/turbo-vbi/priors/chain.ts";
import { gatePrior } from "../../../src/sparsity/turbo-vbi/priors/gate.ts";
import {
  isingField,
  isingMessage,
  isingPrior,
  productOfChains,
} from "../../../src/sparsity/turbo-vbi/priors/grid.ts";
import { blockLabels, groupPrior } from "../../../src/sparsity/turbo-vbi/priors/group.ts";
import { iidPrior } from "../../../src/sparsity/turbo-vbi/priors/iid.ts";
import type { PriorSpec } from "../../../src/sparsity/turbo-vbi/priors/kinds.ts";
import { createPrior } from "../../../src/sparsity/turbo-vbi/priors/kinds.ts";
import { lineScratch, passLine } from "../../../src/sparsity/turbo-vbi/priors/line.ts";
import type { SupportPrior } from "../../../src/sparsity/turbo-vbi/priors/prior.ts";
import { sendMarginals, sendMessages } from "../../../src/sparsity/turbo-vbi/priors/prior.ts";
import { createSupports } from "../../../src/sparsity/turbo-vbi/supports.ts";
import { chainWeight, enumerate, largestDifference, probabilities, rowsOf } from "./brute-force.ts";
import { chainOf, precisionPriorOf, VECTORS } from "./vectors.ts";

const LIMIT = 30;

function messages(prior: SupportPrior, evidence: readonly number[]): Float64Array {
  const incoming = new Float64Array(evidence.length);
  sendMessages(prior, { evidence: Float64Array.from(evidence), incoming }, LIMIT);
  return incoming;
}

const normalized = (logPartition: number, evidence: readonly number[]) =>
  evidence.reduce((sum, d) => sum - softplus(d), logPartition);

const line = (columns: number) => ({ tiles: 1, rows: 1, columns });
const shapeOf = (m: readonly (readonly number[])[]) => ({ tiles: 1, rows: m.length, columns: m[0].length });

interface GridCase extends Record<"logOddsIn" | "bpLogOddsOut" | "exactMarginal", number[][]> {
  row: number[];
  col: number[];
  maxGap: number;
}

interface IsingCase extends Record<"J0" | "J1" | "theta" | "maxGap", number> {
  logOddsOut: number[][];
  exactMarginal: number[][];
}

describe("vectors", () => {
  test("chain", () => {
    const v = VECTORS.chain;
    const evidence: number[] = v.pin.map(logit);
    const chain = { lambda: v.lambda_, p01: v.p01, p10: v.p10 };
    const prior = chainPrior(chain, line(7));
    const out = messages(prior, evidence);
    expect(largestDifference(probabilities(out), v.piOut)).toBeLessThan(1e-9);
    expect(largestDifference(probabilities(out.map((o, i) => o + evidence[i])), v.marginal)).toBeLessThan(
      1e-9,
    );
    expect(normalized(prior.logPartition!(Float64Array.from(evidence)), evidence)).toBeCloseTo(v.logZ, 9);
    const scratch = lineScratch(7);
    passLine(chainPass(chain), Float64Array.from(evidence), { at: 0, stride: 1, length: 7 }, scratch);
    expect(
      largestDifference(
        scratch.forward.map((x) => x / (1 + x)),
        v.forward,
      ),
    ).toBeLessThan(1e-9);
    expect(
      largestDifference(
        scratch.backward.map((x) => x / (1 + x)),
        v.backward,
      ),
    ).toBeLessThan(1e-9);
    const counts = noTransitions();
    addTransitions(chain, scratch, 7, counts);
    expect(largestDifference([...counts.from0, ...counts.from1], v.expectedTransitions.flat())).toBeLessThan(
      1e-9,
    );
  });

  test("a chain with p10 = 1 − λ is independent", () => {
    const { lambda_, piOut } = VECTORS.chain_independent;
    const out = messages(
      chainPrior(stationaryChain(lambda_, 1 - lambda_), line(7)),
      VECTORS.chain.pin.map(logit),
    );
    expect(largestDifference(probabilities(out), piOut)).toBeLessThan(1e-12);
  });

  test("plain Baum–Welch never falls and follows the trace", () => {
    const { logOddsIn, trace } = VECTORS.em_chain;
    const evidence = Float64Array.from(logOddsIn as number[]);
    let last = Number.NEGATIVE_INFINITY;
    for (let i = 0, chain = chainOf(trace[0]); i < trace.length; i++) {
      const logZ = normalized(chainPrior(chain, line(evidence.length)).logPartition!(evidence), logOddsIn);
      expect(largestDifference([chain.lambda, chain.p01, chain.p10, logZ], trace[i])).toBeLessThan(1e-9);
      expect(logZ).toBeGreaterThanOrEqual(last);
      last = logZ;
      const scratch = lineScratch(evidence.length);
      passLine(chainPass(chain), evidence, { at: 0, stride: 1, length: evidence.length }, scratch);
      const counts = noTransitions();
      addTransitions(chain, scratch, evidence.length, counts);
      chain = likeliestChain(counts);
    }
  });

  test.each(VECTORS.grid.cases as GridCase[])("product of chains: $name", (c) => {
    const evidence = c.logOddsIn.flat();
    const options = { sweeps: 500, tolerance: 1e-13 };
    const out = messages(
      productOfChains(chainOf(c.row), chainOf(c.col), shapeOf(c.logOddsIn), options),
      evidence,
    );
    expect(largestDifference(out, c.bpLogOddsOut.flat())).toBeLessThan(1e-8);
    const marginal = probabilities(out.map((o, i) => o + evidence[i]));
    expect(largestDifference(marginal, c.exactMarginal.flat())).toBeLessThan(c.maxGap + 1e-8);
  });

  test.each(VECTORS.ising_grid.cases as IsingCase[])("Ising grid: J = $J0, $J1", (c) => {
    const { logOddsIn } = VECTORS.ising_grid;
    const evidence = logOddsIn.flat();
    const ising = { down: c.J0, along: c.J1, field: c.theta };
    const out = messages(isingPrior(ising, shapeOf(logOddsIn), { sweeps: 500, tolerance: 1e-13 }), evidence);
    expect(largestDifference(out, c.logOddsOut.flat())).toBeLessThan(1e-8);
    const marginal = probabilities(out.map((o, i) => o + evidence[i]));
    expect(largestDifference(marginal, c.exactMarginal.flat())).toBeLessThan(c.maxGap + 1e-8);
  });

  test("Ising messages and fields; a field that would switch everything on is refused", () => {
    for (const { x, J, f } of VECTORS.ising_grid.message) expect(isingMessage(J, x)).toBeCloseTo(f, 10);
    for (const { J0, J1, density, theta } of VECTORS.ising_grid.solveTheta)
      if (theta < 0) expect(isingField(density, J0, J1)).toBeCloseTo(theta, 9);
      else expect(() => isingField(density, J0, J1)).toThrow("would switch everything on");
  });

  test("gate and chain", () => {
    const v = VECTORS.gate;
    const evidence = v.logOddsIn.flat();
    const prior = gatePrior(chainOf(v.gateChain), chainOf(v.weightChain), shapeOf(v.logOddsIn));
    const out = messages(prior, evidence);
    expect(largestDifference(out, v.logOddsOut.flat())).toBeLessThan(1e-9);
    expect(
      largestDifference(probabilities(out.map((o, i) => o + evidence[i])), v.bruteMarginal.flat()),
    ).toBeLessThan(1e-9);
    expect(
      largestDifference(probabilities(prior.gates(Float64Array.from(evidence))), v.bruteGate),
    ).toBeLessThan(1e-9);
  });

  test("group: the prior enters once", () => {
    const v = VECTORS.group;
    const supports = createSupports(6, logit(v.pi[0]));
    supports.secondMoments.set(v.Ew2);
    const moduleA = createModuleA({ prior: precisionPriorOf(v.h) });
    moduleA(supports);
    expect(largestDifference(supports.evidence, v.memberDelta)).toBeLessThan(1e-9);
    groupPrior(v.pi[0], v.groups).extrinsic(supports.evidence, supports.incoming);
    moduleA(supports);
    const p = probabilities(supports.posterior);
    v.groups.forEach((g: number, i: number) => {
      expect(p[i]).toBeCloseTo(v.piTilde[g], 9);
      expect(Math.abs(p[i] - v.wrongPiTilde[g])).toBeGreaterThan(1e-4);
    });
    expect(largestDifference(supports.precision, v.Erho)).toBeLessThan(1e-8);
  });

  test("extrinsic messages stay under constant evidence; products with marginals drift to 0", () => {
    const v = VECTORS.double_counting;
    const prior = chainPrior(chainOf(v.chain), line(6));
    const wrong = { evidence: Float64Array.from(v.logOddsFromA as number[]), incoming: new Float64Array(6) };
    for (const round of v.demoCodeRounds) {
      expect(largestDifference(probabilities(messages(prior, v.logOddsFromA)), v.extrinsicOut)).toBeLessThan(
        1e-9,
      );
      sendMarginals(prior, wrong, LIMIT);
      expect(largestDifference(probabilities(wrong.incoming), round)).toBeLessThan(1e-9);
    }
    expect(Math.max(...probabilities(wrong.incoming))).toBeLessThan(1e-10);
  });
});

describe("every prior against the sum over all states", () => {
  const [rows, columns] = [3, 4];
  const shape = { tiles: 1, rows, columns };
  const chain = { lambda: 0.2, p01: 0.1, p10: 0.35 };
  const gate = { lambda: 0.4, p01: 0.3, p10: 0.25 };
  const byRow = (bits: readonly number[]) =>
    rowsOf(bits, columns).reduce((sum, row) => sum + chainWeight(chain)(row), 0);
  const bernoulli = (lambda: number) => (s: number) => Math.log(s ? lambda : 1 - lambda);
  const labels = blockLabels(rows, columns, 3);
  const cases: [string, SupportPrior, (bits: readonly number[]) => number][] = [
    ["iid", iidPrior(0.15), (bits) => bits.reduce((sum, s) => sum + bernoulli(0.15)(s), 0)],
    ["chain", chainPrior(chain, shape), byRow],
    [
      "group",
      groupPrior(0.3, labels),
      (bits) => {
        const heads = [...new Set(labels)].map((g) => bits[labels.indexOf(g)]);
        if (bits.some((s, i) => s !== heads[labels[i]])) return Number.NEGATIVE_INFINITY;
        return heads.reduce((sum, s) => sum + bernoulli(0.3)(s), 0);
      },
    ],
    [
      "gate",
      gatePrior(gate, chain, shape),
      (bits) => {
        const all = rowsOf(bits, columns);
        let total = 0;
        for (let z = 0; z < 2 ** rows; z++) {
          const gates = all.map((_, j) => (z >> j) & 1);
          const inside = all.map((row, j) =>
            gates[j] ? chainWeight(chain)(row) : row.some((s) => s) ? Number.NEGATIVE_INFINITY : 0,
          );
          total += Math.exp(inside.reduce((a, b) => a + b, chainWeight(gate)(gates)));
        }
        return Math.log(total);
      },
    ],
  ];

  test.each(cases)("%s", (_, prior, logWeight) => {
    const rng = random(7);
    for (let trial = 0; trial < 5; trial++) {
      const evidence = Array.from({ length: rows * columns }, () => 2 * rng.normal());
      const exact = enumerate(logWeight, evidence);
      expect(largestDifference(messages(prior, evidence), exact.out)).toBeLessThan(1e-12);
      expect(prior.logPartition!(Float64Array.from(evidence))).toBeCloseTo(exact.logPartition, 12);
    }
  });

  test("Ising on a line, where there is no loop", () => {
    const evidence = [0.4, -1.2, 2, 0.1, -0.3];
    const [field, along] = [-0.4, 0.5];
    const logWeight = (bits: readonly number[]) =>
      bits.reduce((sum, s, i) => sum + field * s + (i ? along * (2 * s - 1) * (2 * bits[i - 1] - 1) : 0), 0);
    const out = messages(isingPrior({ down: 0.2, along, field }, line(5)), evidence);
    expect(largestDifference(out, enumerate(logWeight, evidence).out)).toBeLessThan(1e-12);
  });
});

describe("properties", () => {
  const shape = { tiles: 2, rows: 3, columns: 5 };
  const specs: PriorSpec[] = [
    { kind: "iid", lambda: 0.1 },
    { kind: "chain", lambda: 0.1, meanRun: 4 },
    { kind: "group", lambda: 0.2, size: 2 },
    { kind: "gate", gate: 0.3, gateRun: 2, lambda: 0.2, meanRun: 3 },
    { kind: "product", row: { lambda: 0.3, meanRun: 2 }, column: { lambda: 0.3, meanRun: 2 } },
    { kind: "ising", density: 0.1, down: 0.3, along: 0.3 },
  ];
  const evidences = fc.array(fc.double({ min: -8, max: 8, noNaN: true }), { minLength: 30, maxLength: 30 });
  const reached = { sweeps: 300, tolerance: 1e-14 };

  test.each(specs.slice(0, 4))("$kind: a bit's own evidence does not come back", (spec) => {
    const prior = createPrior(spec, shape);
    fc.assert(
      fc.property(evidences, fc.nat(29), (evidence, i) => {
        const before = messages(prior, evidence)[i];
        const changed = evidence.with(i, -evidence[i] + 1);
        expect(messages(prior, changed)[i]).toBeCloseTo(before, 9);
      }),
      { numRuns: 50 },
    );
  });

  test.each([specs[0], specs[1], specs[2], specs[5]])(
    "$kind: reversing every line reverses the messages",
    (spec) => {
      const even = { ...shape, columns: 6 };
      const prior =
        spec.kind === "ising"
          ? isingPrior({ down: 0.3, along: 0.2, field: isingField(0.1, 0.3, 0.2) }, even, reached)
          : createPrior(spec, even);
      const rng = random(3);
      const evidence = Array.from({ length: 36 }, () => 2 * rng.normal());
      const reverse = (values: ArrayLike<number>) =>
        rowsOf([...Array.from(values)], 6).flatMap((r) => r.reverse());
      expect(
        largestDifference(messages(prior, reverse(evidence)), reverse(messages(prior, evidence))),
      ).toBeLessThan(1e-9);
    },
  );

  test.each([specs[1], specs[4]])("$kind: tiles do not hear of each other", (spec) => {
    const prior = createPrior(spec, shape);
    const rng = random(4);
    const evidence = Array.from({ length: 30 }, () => rng.normal());
    const other = evidence.map((d, i) => (i < 15 ? d : -d));
    expect([...messages(prior, evidence).slice(0, 15)]).toEqual([...messages(prior, other).slice(0, 15)]);
  });

  test("a certain bit tells its right neighbour p11 or p01", () => {
    const chain = { lambda: 0.2, p01: 0.1, p10: 0.3 };
    for (const [delta, expected] of [
      [1e9, 0.7],
      [-1e9, 0.1],
    ])
      expect(probabilities(messages(chainPrior(chain, line(5)), [0, 0, delta, 0, 0]))[3]).toBeCloseTo(
        expected,
        11,
      );
  });

  test("open gates leave the chain alone", () => {
    const chain = stationaryChain(0.2, 0.3);
    const open = { lambda: 1 - 1e-12, p01: 1 - 1e-12, p10: 1e-12 };
    const rng = random(5);
    const evidence = Array.from({ length: 30 }, () => rng.normal());
    const found = messages(gatePrior(open, chain, shape), evidence);
    expect(largestDifference(found, messages(chainPrior(chain, shape), evidence))).toBeLessThan(1e-9);
  });

  test("learning finds the chain that made the bits", () => {
    const truth = stationaryChain(0.2, 0.15);
    const rng = random(6);
    let on = rng.uniform() < truth.lambda;
    const evidence = Float64Array.from({ length: 20_000 }, () => {
      on = rng.uniform() < (on ? 1 - truth.p10 : truth.p01);
      return (on ? 6 : -6) + rng.normal();
    });
    const prior = chainPrior(stationaryChain(0.5, 0.5), { tiles: 1, rows: 20, columns: 1000 });
    for (let i = 0; i < 10; i++) prior.learn!(evidence);
    const { p01, p10 } = prior.state!() as { p01: number; p10: number };
    expect(p01).toBeCloseTo(truth.p01, 2);
    // Three standard errors of 4000 draws.
    expect(Math.abs(p10 - truth.p10)).toBeLessThan(0.017);
  });

  test.each([
    [{ kind: "iid", lambda: 0 }, "lambda must be a probability"],
    [{ kind: "chain", lambda: 0.1, meanRun: 1 }, "meanRun must be above 1"],
    [{ kind: "chain", lambda: 0.9, meanRun: 2 }, "runs are longer than 2"],
  ] as const)("%o is refused", (spec, message) => {
    expect(() => createPrior(spec, shape)).toThrow(message);
  });
});
