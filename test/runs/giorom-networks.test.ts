import { expect, test } from "vitest";
import { CONFIGS } from "../../src/giorom/config.ts";
import { gridOf } from "../../src/giorom/latent-grid.ts";
import { NETWORKS, type NetworkName, networkOf } from "../../src/runs/giorom/train.node.ts";
import { expectProblem } from "../data/support.ts";

const published = Object.keys(CONFIGS) as (keyof typeof CONFIGS)[];

test.each(published)("%s is as published, of its own dimensions alone", (network) => {
  const config = CONFIGS[network];
  expect(networkOf({ network }, config.dim, false)).toBe(config);
  expectProblem(
    () => networkOf({ network }, config.dim === 2 ? 3 : 2, false),
    /is a network for \dD, the set is in \dD/,
  );
  for (const own of [{ hidden: 32 }, { layers: 2 }])
    expectProblem(() => networkOf({ network, ...own }, config.dim, false), /its width and layers are fixed/);
});

test("all others take a width, and tell types apart where there are several", () => {
  for (const network of Object.keys(NETWORKS) as NetworkName[]) {
    if (Object.hasOwn(CONFIGS, network)) continue;
    expect(networkOf({ network }, 3, false)).toMatchObject({ dim: 3, hidden: 32, types: 0 });
    expect(networkOf({ network, hidden: 12 }, 2, true)).toMatchObject({ dim: 2, hidden: 12, types: 9 });
  }
  const { latent } = networkOf({ network: "transformer", hidden: 13 }, 2, false);
  // Twice as wide, and heads of equal width.
  expect(latent?.processor).toMatchObject({ kind: "transformer", width: 28, heads: 4 });
});

test("the grid lies between the walls, or on the plane that v1 lays 3D particles on", () => {
  const bounds = [0, 1, 2].map((low) => [low, low + 3] as const);
  expect(gridOf(CONFIGS["T-3d"], bounds)).toMatchObject({ size: 16, bounds, spacing: 3 / 15 });
  const flat = gridOf(CONFIGS["v1-3d-large"], bounds)!;
  expect([flat.bounds.length, flat.positions.length, flat.spacing]).toEqual([2, 2 * 16 ** 2, 1 / 15]);
  expect(gridOf(networkOf({ network: "gns" }, 3, false), bounds)).toBeUndefined();
});
