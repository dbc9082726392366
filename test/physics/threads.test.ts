import { afterAll, describe, expect, test } from "vitest";
import type { Call } from "../../src/kernels/team.ts";
import { MATERIALS } from "../../src/physics/materials.ts";
import type { Dim } from "../../src/physics/particles.ts";
import type { Simulation } from "../../src/physics/simulation.ts";
import { createSimulation } from "../../src/physics/simulation.ts";
import { stepCalls } from "../../src/physics/step.ts";
import { createWorkspace } from "../../src/physics/workspace.ts";
import { block, uniform } from "./support.ts";

const CELLS = 16;
const DT = 2e-4;

const started: Simulation[] = [];
afterAll(() => Promise.all(started.map((simulation) => simulation.useThreads(1))));

/** Two bodies that run into each other and the floor, with tracers. */
function collision(dim: Dim): Simulation {
  const size = dim === 2 ? [0.25, 0.2] : [0.2, 0.15, 0.15];
  const body = (name: "sand" | "jelly", x: number, speed: number) => {
    const positions = block(dim, [x, 0.24, 0.5], size, 1 / 32);
    const velocities = uniform(positions.length / dim, [speed, -2, 0.3].slice(0, dim));
    return { material: MATERIALS[name], positions, velocities };
  };
  const bodies = [body("sand", 0.35, 2), body("jelly", 0.65, -2)];
  const tracers = bodies[0].positions.map((x) => x + 0.004);
  const simulation = createSimulation({ dim, cells: CELLS, dt: DT, bodies, tracers });
  started.push(simulation);
  return simulation;
}

const state = ({ particles: { x, v, c, f, stress }, tracers }: Simulation) =>
  [x, v, c, f, stress, tracers].map((array) => array.slice());

describe.each([2, 3] as const)("%iD", (dim) => {
  test("any number of threads gives the same bits", async () => {
    const single = collision(dim);
    single.step(150);
    const expected = state(single);
    for (const threads of [2, 3]) {
      const several = collision(dim);
      await several.useThreads(threads);
      several.step(100);
      several.step(50);
      expect(state(several)).toEqual(expected);
    }
    // The number may change on the way.
    const changing = collision(dim);
    for (const threads of [3, 1, 2]) {
      await changing.useThreads(threads);
      changing.step(50);
    }
    expect(state(changing)).toEqual(expected);
    // Control: one step more is another state.
    single.step();
    expect(state(single)).not.toEqual(expected);
  });

  /** Works as `threads` threads would, one after the other, and says which rows each of them took. */
  function takeTurns(
    threads: number,
    change: (call: NonNullable<Call>, thread: number) => NonNullable<Call>,
  ) {
    const positions = block(dim, [0.4, 0.5, 0.5], [0.4, 0.2, 0.2].slice(0, dim), 1 / 32);
    const workspace = createWorkspace(dim, CELLS, positions.length / dim);
    const { particles, perform, rows } = workspace;
    particles.x.set(positions);
    particles.v.set(positions.map((x) => Math.sin(50 * x)));
    const bodies = [{ material: MATERIALS.jelly, start: 0, end: particles.count, volume: 1 / 32 ** dim }];
    const task = { bodies, dt: DT, gravity: [0, -9.8, 0], walls: "free-slip", bound: 3 } as const;
    const lists = Array.from({ length: threads }, (_, thread) => stepCalls(workspace, task, thread, threads));
    for (let s = 0; s < 5; s++) {
      const at = lists.map(() => 0);
      for (let phase = 0; phase < 2; phase++)
        lists.forEach((calls, thread) => {
          for (let call = calls[at[thread]++]; call; call = calls[at[thread]++])
            perform(change(call, thread));
        });
    }
    return {
      x: particles.x.slice(),
      rows: Array.from({ length: threads }, (_, thread) => [rows[thread][0], rows[thread][1]]),
    };
  }

  test("threads take all rows, none twice, and alike many particles", () => {
    const single = takeTurns(1, (call) => call);
    expect(single.rows).toEqual([[0, CELLS + 2]]);
    for (const threads of [2, 3, 5]) {
      const { x, rows } = takeTurns(threads, (call) => call);
      expect(x).toEqual(single.x);
      expect(rows[0][0]).toBe(0);
      expect(rows[threads - 1][1]).toBe(CELLS + 2);
      for (let t = 1; t < threads; t++) expect(rows[t][0]).toBe(rows[t - 1][1]);
    }
    // The block lies from row 3.2 to 9.6, its particles add to 10 rows: half of that work is done before row 8.
    expect(Math.abs(takeTurns(2, (call) => call).rows[0][1] - 7)).toBeLessThanOrEqual(1);
  });

  test("control: a thread that works on another one's rows shows", () => {
    const { x } = takeTurns(2, (call, thread) =>
      call[0] === "divideRows" && thread === 1 ? [call[0], [...call[1].slice(0, 5), 0, 2]] : call,
    );
    expect(x).not.toEqual(takeTurns(1, (call) => call).x);
  });
});

test("a number of threads that cannot be is said in one line", async () => {
  const simulation = collision(2);
  await expect(simulation.useThreads(0)).rejects.toThrow("choose 1 to 64");
  await expect(simulation.useThreads(1.5)).rejects.toThrow("choose 1 to 64");
});
