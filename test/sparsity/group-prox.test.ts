import { expect, test } from "vitest";
import { createGroupProx, GROUP_PENALTIES } from "../../src/sparsity/group-prox.ts";

const partition = { groups: 3, parts: [{ parameter: "w", outer: 1, channels: 3, inner: 4 }] };
const step = { norms: Float64Array.of(3, 1, 0.1), k: 1, lambda: 0.5, alpha: 0.4, mu: 0 };

test("group lasso is the soft threshold αλ√|s| of the norm, by brute force over its factor", () => {
  const factors = createGroupProx("group-lasso", partition)(step);
  step.norms.forEach((norm, j) => {
    // min over f of λ√|s|·f‖t‖ + (1 − f)²‖t‖²/(2α)
    const objective = (f: number) => step.lambda * 2 * f * norm + ((1 - f) * norm) ** 2 / (2 * step.alpha);
    let best = 0;
    for (let f = 0; f <= 1; f += 1e-5) if (objective(f) < objective(best)) best = f;
    expect(factors[j]).toBeCloseTo(best, 4);
  });
});

test.each(GROUP_PENALTIES)("%s leaves weights alone without strength and decay", (penalty) => {
  expect(Array.from(createGroupProx(penalty, partition)({ ...step, lambda: 0 }))).toEqual([1, 1, 1]);
});

test("no penalty is weight decay alone: the prox of ½μ‖θ‖²", () => {
  const factors = createGroupProx("none", partition)({ ...step, mu: 0.25 });
  for (const f of factors) expect(f).toBeCloseTo(1 / (1 + 0.4 * 0.25), 12);
});

test("an unknown penalty is refused with the known ones", () => {
  expect(() => createGroupProx("l7" as "none", partition)).toThrow(
    /unknown group penalty "l7"; known: wgsef, /,
  );
});
