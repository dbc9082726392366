import { expect, test } from "vitest";
import type { Masks, Weights } from "../../../src/sparsity/tickets/masks.ts";
import {
  density,
  jaccardDistance,
  magnitudeMasks,
  mapValues,
  maskWeights,
  weightsOf,
} from "../../../src/sparsity/tickets/masks.ts";
import { norms } from "../../../src/sparsity/tickets/norms.ts";
import { runDefinitions } from "../../../src/sparsity/tickets/run-definitions.ts";
import { buildModel, createLesson, QUICK } from "../../../src/sparsity/tickets/settings.ts";

const settings = { ...QUICK, p: 7, width: 12, hidden: 6 };
const definitions = runDefinitions(settings);
const model = buildModel(settings, 3);
const initial = weightsOf(model);
/** Stands for the base network at each moment: a network of its own. */
const moments = new Map(
  ["memorised", "half", "most", "generalised", "later500", "later1500", "ticket"].map((name, i) => [
    name,
    weightsOf(buildModel(settings, 100 + i)),
  ]),
);
const ticket = (ratio = 0.6) => magnitudeMasks(moments.get("ticket")!, ratio);
const trained: { from: Weights; alive: Masks }[] = [];

/** What a run starts from; every run but the dense ones says which weights live. */
async function start(name: string) {
  const found = await definitions.get(name)!.start({
    settings,
    seed: 3,
    initial,
    ticket,
    moment: (moment) => moments.get(moment),
    model,
    lesson: createLesson(settings, 3, model),
    train: async (from, alive) => {
      trained.push({ from, alive });
      return weightsOf(buildModel(settings, 200 + trained.length));
    },
  });
  return found!;
}

test("tickets: initial weights under the late mask, at every ratio", async () => {
  for (const ratio of settings.ratios)
    expect(await start(`ticket-${ratio}`)).toEqual({ weights: initial, masks: ticket(ratio) });
});

test("dense networks start at the ticket's L1 or L2 norm, each at its own", async () => {
  const wanted = norms(maskWeights(initial, ticket()));
  for (const norm of ["l1", "l2"] as const) {
    const { weights, masks } = await start(`dense-${norm}`);
    expect(masks).toBeUndefined();
    expect(norms(weights)[norm] / wanted[norm]).toBeCloseTo(1, 5);
    const other = norm === "l1" ? "l2" : "l1";
    expect(Math.abs(norms(weights)[other] / wanted[other] - 1)).toBeGreaterThan(0.05);
  }
});

test("earlier tickets: initial weights under the mask of that moment", async () => {
  for (const moment of ["memorised", "half", "most", "generalised", "later500", "later1500"]) {
    const masks = magnitudeMasks(moments.get(moment)!, 0.6);
    expect(await start(`taken-${moment}`)).toEqual({ weights: initial, masks });
  }
});

test("rewinding: one thing is changed, and nothing else", async () => {
  const shuffled = await start("shuffled");
  expect(shuffled.weights).toEqual(initial);
  expect(density(shuffled.masks!)).toEqual(density(ticket()));
  expect(jaccardDistance(shuffled.masks!, ticket())).toBeGreaterThan(0.5);

  const fresh = await start("fresh");
  expect(fresh.masks).toEqual(ticket());
  const correlation = [...initial].map(([name, w]) =>
    w.reduce((sum, v, i) => sum + v * fresh.weights.get(name)![i], 0),
  );
  const { l2 } = norms(initial);
  for (const product of correlation) expect(Math.abs(product)).toBeLessThan(0.2 * l2 ** 2);
  expect(norms(fresh.weights).l2 / l2).toBeCloseTo(1, 0);

  const signs = await start("signs");
  expect(signs.masks).toEqual(ticket());
  const signOf = (weights: Weights) => mapValues(weights, (w) => w.map(Math.sign));
  expect(signOf(signs.weights)).toEqual(signOf(initial));
  for (const w of signs.weights.values()) expect(new Set(w.map(Math.abs)).size).toBe(1);
});

test("masks found without training: initial weights, the ticket's density, and all of them different", async () => {
  const names = ["random", "magnitude-init", "snip", "grasp", "grasp-reversed", "synflow-1", "synflow-100"];
  const found: Masks[] = [];
  for (const name of names) {
    const { weights, masks } = await start(name);
    expect(weights).toEqual(initial);
    expect(density(masks!).total).toBe(density(ticket()).total);
    found.push(masks!);
  }
  found.forEach((a, i) => {
    for (const b of found.slice(i + 1)) expect(jaccardDistance(a, b)).toBeGreaterThan(0.02);
  });
  // What one sign keeps the other gives up first.
  const [grasp, reversed] = [found[3], found[4]];
  expect(jaccardDistance(grasp, reversed)).toBeGreaterThan(0.9);
});

test("iterative pruning rewinds every round to where its name says, and begins with the base's own training", async () => {
  for (const [name, from] of [
    ["imp", initial],
    ["imp-early", moments.get("memorised")!],
  ] as const) {
    trained.length = 0;
    const { weights, masks } = await start(name);
    expect(weights).toEqual(from);
    expect(trained.map((round) => round.from)).toEqual([from, from]);
    expect(trained[0].alive).toEqual(magnitudeMasks(moments.get("ticket")!, 1 - 0.4 ** (1 / 3)));
    expect(density(masks!).total).toBeCloseTo(0.4, 2);
  }
});

test("runs without weight decay have none, and start from the masks that they name", async () => {
  const without = [...definitions].filter(([, d]) => d.group === "no decay");
  expect(without.map(([name]) => name).sort()).toEqual(
    ["dense-0", "ticket-0.6-0", "ticket-0.7-0", "ticket-0.75-0", "late-0.7-0", "imp-0", "random-0"].sort(),
  );
  for (const [, { weightDecay }] of without) expect(weightDecay).toBe(0);
  expect(await start("dense-0")).toEqual({ weights: initial });
  const early = magnitudeMasks(moments.get("later1500")!, 0.7);
  expect(await start("ticket-0.7-0")).toEqual({ weights: initial, masks: early });
  expect(await start("late-0.7-0")).toEqual({ weights: initial, masks: ticket(0.7) });
  // Its mask is found as that of the run with decay is.
  trained.length = 0;
  const found = await start("imp-0");
  trained.length = 0;
  expect(found).toEqual(await start("imp"));
  expect(definitions.get("shuffled")!.weightDecay).toBeUndefined();
});
