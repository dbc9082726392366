import { expect, test } from "vitest";
import { random } from "../../src/random.ts";
import type { GroupPenalty, GroupProxStep } from "../../src/sparsity/group-prox.ts";
import { createGroupProx, GROUP_PENALTIES } from "../../src/sparsity/group-prox.ts";
import { groupNorms } from "../../src/sparsity/groups.ts";

const [groups, size] = [6, 4];
const partition = { groups, parts: [{ parameter: "w", outer: 1, channels: groups, inner: size }] };
const step: GroupProxStep = { k: 2, lambda: 0.6, alpha: 0.4, mu: 0.3 };

/** Groups of falling size, one of them zero. */
function point(seed = 1): Float32Array {
  const rng = random(seed);
  return Float32Array.from({ length: groups * size }, (_, i) => {
    const group = Math.floor(i / size);
    return group === 4 ? 0 : rng.normal() / (1 + group);
  });
}

function apply(penalty: GroupPenalty, start: Float32Array, options: Partial<GroupProxStep> = {}) {
  const w = start.slice();
  const thresholds = createGroupProx(penalty, partition)({ w }, groupNorms(partition, { w: start }), {
    ...step,
    ...options,
  });
  return { w, thresholds };
}

const normsOf = (w: Float32Array) => groupNorms(partition, { w });

/** Values of the penalties at λ = 1, written out; the groups have four weights each. */
const VALUES: Partial<Record<GroupPenalty, (w: Float32Array) => number>> = {
  "group-lasso": (w) => normsOf(w).reduce((sum, n) => sum + 2 * n, 0),
  l1: (w) => w.reduce((sum, x) => sum + Math.abs(x), 0),
  "sparse-group-lasso": (w) => (VALUES["group-lasso"]!(w) + VALUES.l1!(w)) / 2,
};

test.each(["group-lasso", "l1", "sparse-group-lasso"] as const)(
  "%s is a minimiser of its penalty, weight decay and distance: nothing nearby is lower",
  (penalty) => {
    const t = point();
    const objective = (w: Float32Array) =>
      step.lambda * VALUES[penalty]!(w) +
      w.reduce((sum, x, i) => sum + (step.mu * x * x) / 2 + (x - t[i]) ** 2 / (2 * step.alpha), 0);
    const { w } = apply(penalty, t);
    const least = objective(w);
    const rng = random(9);
    for (const scale of [1e-1, 1e-2, 1e-3])
      for (let trial = 0; trial < 300; trial++) {
        const other = w.map((x) => (rng.uniform() < 0.5 ? x : x + scale * rng.normal()));
        expect(objective(other)).toBeGreaterThan(least - 1e-6);
      }
    // Control: a solution that is a hundredth off is beaten.
    expect(objective(w.map((x) => 1.01 * x))).toBeGreaterThan(least + 1e-6);
  },
);

test("l1 kills weights, sparse group lasso weights and groups, group lasso groups alone", () => {
  const zeros = (penalty: GroupPenalty, lambda = 0.6) => {
    const { w } = apply(penalty, point(), { lambda });
    const dead = [...normsOf(w)].filter((n) => n === 0).length;
    return { dead, within: w.filter((x) => x === 0).length - dead * size };
  };
  expect(zeros("group-lasso")).toMatchObject({ within: 0 });
  expect(zeros("group-lasso").dead).toBeGreaterThan(1);
  expect(zeros("l1").within).toBeGreaterThan(0);
  expect(zeros("sparse-group-lasso", 0.3).within).toBeGreaterThan(0);
  expect(zeros("sparse-group-lasso").dead).toBeGreaterThan(1);
});

test("l0 keeps the k largest groups, under weight decay alone", () => {
  const t = point();
  const { w } = apply("l0", t);
  const largest = [...normsOf(t).keys()].sort((a, b) => normsOf(t)[b] - normsOf(t)[a]).slice(0, 2);
  for (let i = 0; i < w.length; i++)
    expect(w[i]).toBeCloseTo(largest.includes(Math.floor(i / size)) ? t[i] / (1 + 0.4 * 0.3) : 0, 6);
});

test.each(GROUP_PENALTIES.filter((p) => p !== "l0"))(
  "%s leaves weights alone without strength and decay",
  (penalty) => {
    expect([...apply(penalty, point(), { lambda: 0, mu: 0 }).w]).toEqual([...point()]);
  },
);

test("no penalty is weight decay alone: the prox of ½μ‖θ‖²", () => {
  const { w } = apply("none", point());
  w.forEach((x, i) => expect(x).toBeCloseTo(point()[i] / (1 + 0.4 * 0.3), 6));
});

test.each(["wgsef", "wgsef-plain", "group-lasso"] as const)(
  "%s: groups die up to their threshold and no further, whatever the metric and the costs",
  (penalty) => {
    const rng = random(3);
    for (let trial = 0; trial < 60; trial++) {
      const metric = trial % 3 ? Float64Array.from({ length: groups }, () => 0.8 + rng.uniform()) : undefined;
      const c = trial % 2 ? Float64Array.from({ length: groups }, () => 0.5 + rng.uniform()) : undefined;
      const lambda = penalty === "wgsef" && c ? 0.3 : 0.2 + rng.uniform();
      const t = point(trial);
      const options = { metric, c, lambda, k: 1.5 };
      const { w, thresholds } = apply(penalty, t, options);
      const [before, after] = [normsOf(t), normsOf(w)];
      for (let j = 0; j < groups; j++) {
        expect(after[j] === 0).toBe(before[j] <= thresholds!.zero(j));
        const h = metric ? metric[j] : 1;
        const mu = penalty === "wgsef-plain" ? lambda : step.mu;
        const whole = before[j] >= thresholds!.whole(j);
        const decayed = (before[j] * h) / (h + step.alpha * mu);
        if (before[j] > 0) expect(Math.abs(after[j] - decayed) < 1e-6).toBe(whole);
      }
    }
  },
);

test("groups that are spared feel weight decay alone", () => {
  const t = point();
  const spared = Uint8Array.of(0, 0, 0, 1, 0, 0);
  for (const penalty of ["wgsef", "group-lasso", "l1"] as const) {
    const { w } = apply(penalty, t, { spared, lambda: 2 });
    for (let i = 3 * size; i < 4 * size; i++) expect(w[i]).toBeCloseTo(t[i] / 1.12, 6);
    expect(normsOf(w)[5]).toBe(0);
  }
});

test("an unknown penalty is refused with the known ones", () => {
  expect(() => createGroupProx("l7" as "none", partition)).toThrow(
    /unknown group penalty "l7"; known: wgsef, /,
  );
});

test("a metric of single weights is refused where the step has no closed form", () => {
  const w = point();
  expect(() =>
    createGroupProx("group-lasso", partition)({ w }, normsOf(w), { ...step, metric: { w: w.map(() => 1) } }),
  ).toThrow(/use the block metric, or wgsef/);
});
