import { describe, expect, test } from "vitest";
import { evaluate } from "../../src/engine/evaluate.ts";
import { gradients } from "../../src/engine/gradients.ts";
import { output, valueNamed } from "../../src/engine/graph.ts";
import { mul, reduceMean, slice } from "../../src/engine/operators/index.ts";
import { createSession } from "../../src/engine/session.ts";
import { fnoConfig, gatConfig, neuralMpmConfig } from "../../src/giorom/baselines.ts";
import { liteConfig, type StepperConfig } from "../../src/giorom/config.ts";
import { neighborhoods } from "../../src/giorom/neighborhood.ts";
import type { Setting } from "../../src/giorom/setting.ts";
import { SMALLEST, stepper } from "../../src/giorom/stepper.ts";
import { random } from "../../src/random.ts";
import {
  asNumeric,
  cloud,
  feedsFor,
  flat,
  largestDifference,
  pattern,
  setParameter,
  vectors,
} from "./support.ts";

const tiny = vectors.tiny_model;

const CONFIG: StepperConfig = {
  ...liteConfig({ dim: 2, hidden: 4, layers: 1, history: 2, grid: 4, channels: 2 }),
  latent: {
    size: 4,
    dim: 2,
    channels: 2,
    encodeHidden: [4, 4],
    decodeHidden: [4, 4],
    carries: "state",
    processor: { kind: "fno", width: 4, blocks: 1, signed: 4, last: 2, block: "plain" },
    projection: [],
  },
};

const SETTING: Setting = {
  bounds: [tiny.bounds, tiny.bounds],
  radius: tiny.conn_radius,
  latentRadius: tiny.gno_radius,
  statistics: {
    velocityMean: [0, 0],
    velocityStd: [tiny.v_std, tiny.v_std],
    accelerationMean: [0, 0],
    accelerationStd: [tiny.a_std, tiny.a_std],
  },
  noise: 0,
  frameInterval: 0.005,
};

const WINDOW = tiny.positions_window.map((frame) => Float64Array.from(flat(frame)));

/** Our name of a parameter of the vectors. */
function nameOf(theirs: string): string {
  const linear = (n: string) => String(Number(n) / 2);
  return theirs
    .replace(/^inl\.(\d)\.e\./, "before.$1.message.")
    .replace(/^inl\.(\d)\.n\./, "before.$1.update.")
    .replace(/^outl\.(\d)\.e\./, "after.$1.message.")
    .replace(/^outl\.(\d)\.n\./, "after.$1.update.")
    .replace(/^dec\./, "acceleration.")
    .replace(/\.l\.(\d)\./, ".$1.")
    .replace(/\.ln\./, ".norm.")
    .replace(/^gin\.(\d)/, (_, n) => `encode.${linear(n)}`)
    .replace(/^gout\.(\d)/, (_, n) => `decode.${linear(n)}`)
    .replace(/^pr\./, "projection.0.")
    .replace(/^fno\.up\.(\d)/, (_, n) => `fno.lift.${linear(n)}`)
    .replace(/^fno\.dn\.(\d)/, (_, n) => `fno.project.${linear(n)}`)
    .replace(/^fno\.sk\./, "fno.0.skip.")
    .replace("fno.0.skip.0.weight", "fno.0.skip.weight");
}

/** [corner, in, out, kx, ky, part] → [mode, in, out] of one part. */
function modesFirst(w: ArrayLike<number>, part: 0 | 1): Float64Array {
  const out = new Float64Array(w.length / 2);
  for (let corner = 0; corner < 2; corner++)
    for (let io = 0; io < 16; io++)
      for (let kx = 0; kx < 2; kx++)
        for (let ky = 0; ky < 2; ky++)
          out[((corner * 2 + kx) * 2 + ky) * 16 + io] =
            w[(((corner * 16 + io) * 2 + kx) * 2 + ky) * 2 + part];
  return out;
}

function tinyModel(trains = false, spare = 0) {
  const { feeds, size } = feedsFor(CONFIG, SETTING, [WINDOW], spare, trains);
  const graph = stepper(CONFIG, size, { trains });
  for (const { name, shape, k0, offset, scale } of tiny.params) {
    const values = pattern(shape, k0).map((x) => offset + scale * x);
    if (name === "fno.sp.0.w") {
      setParameter(graph, "fno.0.spectral.real", modesFirst(values, 0));
      setParameter(graph, "fno.0.spectral.imaginary", modesFirst(values, 1));
    } else setParameter(graph, name === "fno.sp.0.b" ? "fno.0.spectral.bias" : nameOf(name), values);
  }
  return { graph, feeds };
}

describe("the tiny model of the vectors", () => {
  test("neighbourhoods", () => {
    const { of } = neighborhoods(CONFIG, SETTING);
    const { edges, pairs } = of(WINDOW[2]);
    const listed = (n: NonNullable<typeof edges>) =>
      Array.from({ length: 5 }, (_, i) =>
        Array.from(n.senders.subarray(n.starts[i], n.starts[i + 1]), (j) => [i, j]),
      ).flat();
    expect(listed(edges!)).toEqual(tiny.edges_recv_send);
    const byNode = listed(pairs!)
      .map(([point, node]) => [node, point])
      .sort((a, b) => a[0] - b[0] || a[1] - b[1]);
    expect(byNode).toEqual(tiny.grid_pairs_gridnode_particle);
  });

  test.each([0, 3])("output, with %i spare rows, edges and pairs", (spare) => {
    const { graph, feeds } = tinyModel(false, spare);
    const found = evaluate(graph, asNumeric(feeds))[graph.outputs[0]].data;
    // Parameters and inputs are float32 here.
    expect(largestDifference(found.subarray(0, 10), flat(tiny.out))).toBeLessThan(5e-6);
  });

  test("ONNX Runtime agrees with the reference evaluation", async () => {
    const { graph, feeds } = tinyModel(false, 2);
    const session = await createSession(graph);
    const found = (await session.run(feeds))[graph.outputs[0]].data as Float32Array;
    await session.release();
    expect(largestDifference(found.subarray(0, 10), flat(tiny.out))).toBeLessThan(1e-5);
  });

  test("loss and gradients", () => {
    const { graph, feeds } = tinyModel(true);
    const prediction = valueNamed(graph, graph.outputs[0]);
    const loss = reduceMean(mul(prediction, prediction));
    const names = [...graph.parameters.keys()];
    const found = gradients(
      loss,
      names.map((name) => valueNamed(graph, name)),
    );
    for (const v of [loss, ...found]) output(v);
    const values = evaluate(graph, asNumeric(feeds), [loss.name, ...found.map((v) => v.name)]);
    expect(values[loss.name].data[0]).toBeCloseTo(tiny.loss, 6);
    const sums = new Map<string, { sum: number; squares: number }>();
    names.forEach((name, i) => {
      const data = Array.from(values[found[i].name].data);
      sums.set(name, { sum: data.reduce((a, b) => a + b, 0), squares: data.reduce((a, b) => a + b * b, 0) });
    });
    for (const { name, sum, l2 } of tiny.grad) {
      const ours = ["real", "imaginary"].map((part) => sums.get(`fno.0.spectral.${part}`)!);
      const own =
        name === "fno.sp.0.w"
          ? { sum: ours[0].sum + ours[1].sum, squares: ours[0].squares + ours[1].squares }
          : sums.get(name === "fno.sp.0.b" ? "fno.0.spectral.bias" : nameOf(name))!;
      // Rounded parameters shift gradients through three layer normalisations over four numbers each.
      expect(Math.abs(own.sum - sum), name).toBeLessThan(2e-5 + 1e-4 * Math.abs(sum));
      expect(Math.abs(Math.sqrt(own.squares) - l2), name).toBeLessThan(2e-5 + 1e-4 * l2);
    }
  });
});

const DISC: Setting = { ...SETTING, radius: 0.15, latentRadius: 0.12 };
const CLOUD = liteConfig({ dim: 2, hidden: 8, history: 2, grid: 6, channels: 4 });

async function predict(config: StepperConfig, setting: Setting, windows: Float64Array[][], spare = 0) {
  const { feeds, size } = feedsFor(config, setting, windows, spare);
  const graph = stepper(config, size, { seed: 3 });
  const found = evaluate(graph, asNumeric(feeds))[graph.outputs[0]].data;
  return found.subarray(
    0,
    windows.reduce((n, w) => n + w[0].length, 0),
  );
}

describe("invariances (spec 7.10)", () => {
  const window = cloud(1, 20);

  test("a permutation of the particles permutes the output", async () => {
    const order = random(5).permutation(20);
    const permuted = window.map((f) => f.map((_, i) => f[2 * order[i >> 1] + (i & 1)]));
    const [a, b] = [await predict(CLOUD, DISC, [window]), await predict(CLOUD, DISC, [permuted])];
    expect(
      largestDifference(
        b,
        a.map((_, i) => a[2 * order[i >> 1] + (i & 1)]),
      ),
    ).toBeLessThan(1e-9);
    expect(largestDifference(b, a)).toBeGreaterThan(1e-3);
  });

  test("windows side by side do not see each other, nor do spare rows", async () => {
    const other = cloud(2, 13);
    const both = await predict(CLOUD, DISC, [window, other, window], 4);
    const alone = await predict(CLOUD, DISC, [window]);
    expect(largestDifference(both.subarray(0, 40), alone)).toBeLessThan(1e-9);
    expect(largestDifference(both.subarray(66), alone)).toBeLessThan(1e-9);
    expect(largestDifference(both.subarray(40, 66), await predict(CLOUD, DISC, [other]))).toBeLessThan(1e-9);
  });

  test("moving everything, walls included, changes nothing; moving particles alone does", async () => {
    const shift = 0.125;
    const moved = window.map((f) => f.map((x) => x + shift));
    const walls: Setting = { ...DISC, bounds: DISC.bounds.map(([a, b]) => [a + shift, b + shift] as const) };
    const still = await predict(CLOUD, DISC, [window]);
    // Features are float32.
    expect(largestDifference(await predict(CLOUD, walls, [moved]), still)).toBeLessThan(1e-4);
    expect(largestDifference(await predict(CLOUD, DISC, [moved]), still)).toBeGreaterThan(1e-2);
  });

  test("a far particle is felt through the grid alone", async () => {
    const near = cloud(7, 8).map((f) => f.map((x) => 0.2 + (x - 0.2) / 4));
    const joined = near.map((f) => Float64Array.from([...f, 0.88, 0.88]));
    const without: StepperConfig = { ...CLOUD, latent: undefined };
    const [a, b] = [await predict(CLOUD, DISC, [near]), await predict(CLOUD, DISC, [joined])];
    expect(largestDifference(b.subarray(0, 16), a)).toBeGreaterThan(1e-6);
    const [c, d] = [await predict(without, DISC, [near]), await predict(without, DISC, [joined])];
    expect(largestDifference(d.subarray(0, 16), c)).toBeLessThan(1e-12);
  });
});

const small = (latent: StepperConfig["latent"], more: Partial<StepperConfig> = {}): StepperConfig => ({
  ...CLOUD,
  ...more,
  latent,
});
const GRID = { size: 4, dim: 2, channels: 3, encodeHidden: [5], decodeHidden: [5], projection: [6] } as const;
const KINDS: Record<string, StepperConfig> = {
  lite: CLOUD,
  sums: { ...CLOUD, aggregation: "sum", latent: undefined },
  "graph attention": gatConfig({ dim: 2, hidden: 6, history: 2 }),
  "waves of particles": fnoConfig({ dim: 2, hidden: 6, history: 2, grid: 4, channels: 2 }),
  "splines and an image network": neuralMpmConfig({ dim: 2, hidden: 6, history: 2, grid: 4, channels: 2 }),
  "an image network in 3D": neuralMpmConfig({ dim: 3, hidden: 6, history: 2, grid: 4, channels: 2 }),
  "v1's blocks": small({
    ...GRID,
    channels: 2,
    carries: "acceleration",
    processor: { kind: "fno", width: 4, blocks: 2, signed: 6, last: 4, block: "official" },
  }),
  "linear attention": small(
    {
      ...GRID,
      carries: "state",
      processor: { kind: "transformer", width: 8, heads: 2, blocks: 1, experts: 2, dropout: 0 },
    },
    { selfLinear: true },
  ),
  "a learned plane below 3D": small(
    {
      ...GRID,
      carries: "acceleration",
      processor: { kind: "fno", width: 4, blocks: 1, signed: 4, last: 2, block: "plain" },
    },
    { dim: 3 },
  ),
};

test.each(Object.entries(KINDS))(
  "%s: gradients agree with finite differences and nothing scatters",
  (kind, config) => {
    const own = stepper(config, SMALLEST, { seed: 1 }).parameters;
    const plane = own.has("plane.weight")
      ? () => ({ weight: own.get("plane.weight")!.data, bias: own.get("plane.bias")!.data })
      : undefined;
    const setting: Setting = {
      ...DISC,
      latentRadius: plane ? 0.4 : 0.15,
      bounds: new Array(config.dim).fill(DISC.bounds[0]),
      statistics: {
        velocityMean: new Array(config.dim).fill(0),
        velocityStd: new Array(config.dim).fill(0.02),
        accelerationMean: new Array(config.dim).fill(0),
        accelerationStd: new Array(config.dim).fill(0.01),
      },
    };
    const windows = [cloud(1, 5 * config.dim), cloud(4, 3 * config.dim)];
    const { feeds, size } = feedsFor(config, setting, windows, 3, true, plane);
    const graph = stepper(config, size, { seed: 1, trains: true });
    // Spare rows are no particles: their features are 0, right at the bend of every ReLU.
    const prediction = slice(valueNamed(graph, graph.outputs[0]), { 0: { end: 16 } });
    const loss = reduceMean(mul(prediction, prediction));
    const names = [...graph.parameters.keys()];
    const found = gradients(
      loss,
      names.map((name) => valueNamed(graph, name)),
    );
    const scatters = graph.nodes.some(({ op }) => op.startsWith("Scatter") || op === "SumByIndex");
    // Only where the grid is too coarse for all modes: what it leaves out of the weights.
    expect(scatters).toBe(kind === "v1's blocks");
    const values = asNumeric(feeds);
    const all = evaluate(graph, values, [loss.name, ...found.map((v) => v.name)]);
    const rng = random(8);
    for (const part of [
      "node",
      "before",
      "encode",
      "decode",
      "fno",
      "transformer",
      "waves",
      "unet",
      "plane",
      "acceleration",
    ]) {
      const chosen = names.filter((name) => name.startsWith(part));
      if (chosen.length === 0) continue;
      const directions = chosen.map((name) => graph.parameters.get(name)!.data.map(() => rng.normal()));
      const shifted = (h: number) => {
        const moved = chosen.map((name, i) => {
          const { shape, data } = graph.parameters.get(name)!;
          return [
            name,
            { shape, data: Float64Array.from(data, (w, k) => w + h * directions[i][k]) },
          ] as const;
        });
        return evaluate(graph, { ...values, ...Object.fromEntries(moved) }, [loss.name])[loss.name].data[0];
      };
      // So short that hardly any ReLU changes its side on the way.
      const numeric = (shifted(1e-6) - shifted(-1e-6)) / 2e-6;
      const analytic = chosen.reduce((sum, name, i) => {
        const g = all[found[names.indexOf(name)].name].data;
        return sum + g.reduce((a, x, k) => a + x * directions[i][k], 0);
      }, 0);
      expect(Math.abs(numeric), part).toBeGreaterThan(1e-5);
      expect(Math.abs(analytic - numeric) / Math.abs(numeric), part).toBeLessThan(2e-3);
    }
  },
);
