import type { Graph } from "../../engine/graph.ts";
import type { Cells, Margin, Room, Slot } from "./cells.ts";
import { flatCells, isCompact, NO_MARGIN, reserveCells } from "./cells.ts";
import type { Operation } from "./operations.ts";
import { inputsOf } from "./operations.ts";
import type { WeightFormat } from "./product.ts";
import { productSteps } from "./product.ts";
import type { Machine, Step } from "./steps.ts";
import { addStep, affineStep, copyStep, enterStep, leaveStep, poolStep, softmaxStep } from "./steps.ts";

export interface ProgramSource {
  /** Knows the shapes of all values. */
  graph: Graph;
  operations: readonly Operation[];
  inputs: readonly string[];
  outputs: readonly string[];
  /** Row-major batches, padded to whole groups of samples, of every input and output. */
  arrays: ReadonlyMap<string, Slot>;
  batch: number;
  /** Samples that are computed side by side: 1, 4, 8 or 16. 1 is for a batch of 1. */
  lanes: number;
  /** Threads that share the work of every step. */
  threads: number;
  /** How weights are stored; by default what suits each layer's zeros. */
  format?: WeightFormat;
}

export interface SparseProgram {
  /** Computes the outputs' arrays from the inputs': one thread's share. */
  run(machine: Machine): void;
  /** The same without entering and leaving: what the operations alone cost. */
  runInside(machine: Machine): void;
}

/**
 * Samples that are computed side by side. Convolutions fill their vectors with neighbouring cells and want few samples,
 * whose windows stay in cache. Linear layers have nothing but samples; the cost of n of them is about 4 + ¾·n
 * instructions a weight, and a batch is padded to whole groups.
 */
export function lanesFor(batch: number, operations: readonly Operation[]): number {
  if (batch === 1) return 1;
  if (operations.some((o) => o.kind === "product" && o.windows)) return 4;
  const cost = (lanes: number) => Math.ceil(batch / lanes) * (4 + 0.75 * lanes);
  return [16, 8, 4].reduce((best, lanes) => (cost(lanes) < cost(best) ? lanes : best));
}

/**
 * Lays out a network for the kernels: every group of samples goes through all operations before the next, so that what
 * one operation writes is still in the cache when the next one reads it.
 */
export function compileProgram(source: ProgramSource, room: Room): SparseProgram {
  const { graph, operations, inputs, outputs, arrays, batch, lanes, threads, format } = source;
  const margins = marginsOf(operations);
  const viewed = new Set(operations.flatMap((o) => (o.kind === "view" ? [o.x] : [])));
  const values = new Map<string, Cells>();
  const reserve = (name: string): Cells => {
    const [, channels, height = 1, width = 1] = graph.types.get(name)!.shape;
    const shape = { channels, height, width, lanes };
    const cells = reserveCells(room, shape, { margin: margins.get(name), compact: viewed.has(name) });
    values.set(name, cells);
    return cells;
  };
  const entering: Step[] = inputs.map((name) => enterStep(arrays.get(name)!, reserve(name)));
  const steps: Step[] = [];
  for (const operation of operations) {
    const [x, other] = inputsOf(operation).map((name) => values.get(name)!);
    if (operation.kind === "view") {
      values.set(operation.y, viewOf(x, graph.types.get(operation.y)!.shape.length, room, steps));
      continue;
    }
    const y = reserve(operation.y);
    switch (operation.kind) {
      case "product":
        steps.push(...productSteps(operation, x, y, room, { format, threads }));
        break;
      case "affine":
        steps.push(affineStep(operation, x, y, room.floats(operation.factor), room.floats(operation.offset)));
        break;
      case "add":
        steps.push(addStep(operation, x, other, y));
        break;
      case "pool":
        steps.push(poolStep(operation, x, y));
        break;
      case "softmax":
        steps.push(softmaxStep(x, y));
        break;
      case "concat": {
        let channel = 0;
        for (const name of operation.xs) {
          const part = values.get(name)!;
          steps.push(copyStep(part, y, channel));
          channel += part.channels;
        }
      }
    }
  }
  const leaving = outputs.map((name) => leaveStep(values.get(name)!, arrays.get(name)!));
  const groups = Math.ceil(batch / lanes);
  const runner = (list: readonly Step[]) => (machine: Machine) => {
    for (let group = 0; group < groups; group++)
      for (const step of list) {
        step(machine, group);
        machine.meet();
      }
  };
  return { run: runner([...entering, ...steps, ...leaving]), runInside: runner(steps) };
}

/** The cells of x, or a copy without margin, as a value of rank 2 or 4. */
function viewOf(x: Cells, rank: number, room: Room, steps: Step[]): Cells {
  if (rank === 4) return x;
  if (isCompact(x)) return flatCells(x);
  const copy = reserveCells(room, x, { compact: true });
  steps.push(copyStep(x, copy));
  return flatCells(copy);
}

/** What convolutions with stride 1 need around the values that they read. */
function marginsOf(operations: readonly Operation[]): Map<string, Margin> {
  const margins = new Map<string, Margin>();
  for (const operation of operations) {
    if (operation.kind !== "product" || !operation.windows) continue;
    const { strides, before, after } = operation.windows;
    if (strides.some((s) => s !== 1)) continue;
    const known = margins.get(operation.x) ?? NO_MARGIN;
    margins.set(operation.x, {
      top: Math.max(known.top, before[0]),
      left: Math.max(known.left, before[1]),
      bottom: Math.max(known.bottom, after[0]),
      right: Math.max(known.right, after[1]),
    });
  }
  return margins;
}
