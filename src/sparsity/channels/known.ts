import type { Node } from "../../engine/graph.ts";
import type { Tensor } from "../../engine/tensor.ts";
import { sizeOf } from "../../engine/tensor.ts";
import type { Id } from "./atoms.ts";
import type { Flow } from "./flow.ts";
import type { Kept } from "./kept.ts";
import { keptTensor } from "./kept.ts";
import type { ConstantCall, InputAxis } from "./rule.ts";
import { findChannelRule } from "./rule.ts";

/** What the graph computes at an atom whatever it is fed: the number, where all elements have the same. */
export interface Known {
  /** All elements of the value that belong to the atom. */
  at(value: string, atom: Id): number | undefined;
  /** For an initialiser, the elements whose index along one axis belongs to it; else as `at`. */
  along(value: string, axis: number, atom: Id): number | undefined;
  /** All elements of the value. */
  whole(value: string): number | undefined;
}

/** Stands for all elements, with or without atoms. */
const WHOLE = -1;

/**
 * Propagates numbers from the initialisers through the nodes, atom by atom: a filter of zeros gives its bias, a
 * normalised bias may give a negative number, a rectifier makes that 0. Finite inputs are assumed (0 · x = 0). What is
 * not kept does not count: a filter that reads removed channels only is a filter of zeros.
 */
export function knownNumbers(flow: Flow, kept: Kept): Known {
  const { graph, atoms, axes } = flow;
  const tensors = new Map<string, Tensor>();
  const stored = (value: string): Tensor | undefined => {
    const t = tensors.get(value) ?? keptTensor(graph, value, kept);
    if (t) tensors.set(value, t);
    return t;
  };
  const computed = new Map<string, Map<Id, number>>();
  const scans = new Map<string, Map<Id, number | undefined>>();

  const freeOf = (value: string, axis: number) => axes.get(value)![axis].flatMap((id) => [...atoms.free(id)]);
  const membership = new Map<string, Set<Id>>();
  const has = (value: string, axis: number, atom: Id) => {
    const key = `${value}\n${axis}`;
    let set = membership.get(key);
    if (!set) membership.set(key, (set = new Set(freeOf(value, axis))));
    return set.has(atom);
  };

  const scan = (value: string, axis: number) => {
    const key = `${value}\n${axis}`;
    let found = scans.get(key);
    if (!found) {
      const uniform = uniformSlices(stored(value)!, axis);
      scans.set(key, (found = new Map()));
      for (const [i, index] of kept(value, axis).entries())
        for (const root of atoms.free(axes.get(value)![axis][index]))
          found.set(root, found.has(root) && found.get(root) !== uniform[i] ? undefined : uniform[i]);
    }
    return found;
  };
  const whole = (value: string) => {
    const key = `${value}\n`;
    let found = scans.get(key);
    if (!found) {
      const { data } = stored(value)!;
      const first = Number(data[0]);
      const same = data.length > 0 && Number.isFinite(first) && data.every((x) => Number(x) === first);
      scans.set(key, (found = new Map([[WHOLE, same ? first : undefined]])));
    }
    return found.get(WHOLE);
  };

  const at = (value: string, atom: Id): number | undefined => {
    const map = computed.get(value);
    if (map) return map.get(atom) ?? map.get(WHOLE);
    if (!stored(value)) return undefined;
    if (atom === WHOLE) return whole(value);
    const places = axes.get(value)!.flatMap((_, axis) => (has(value, axis, atom) ? [axis] : []));
    if (places.length === 0) return whole(value);
    const numbers = places.map((axis) => scan(value, axis).get(atom));
    return numbers.every((n) => n === numbers[0]) ? numbers[0] : undefined;
  };
  const along = (value: string, axis: number, atom: Id) =>
    stored(value) && has(value, axis, atom) ? scan(value, axis).get(atom) : at(value, atom);

  const callOf = (node: Node, output: number, atom: Id): ConstantCall => ({
    node,
    attributes: node.attributes,
    inputTypes: node.inputs.map((name) => graph.types.get(name)),
    outputTypes: node.outputs.map((name) => graph.types.get(name)!),
    output,
    known: (i) => at(node.inputs[i], atom),
    knownAlong: ({ input, axis }: InputAxis) => along(node.inputs[input], axis, atom),
    has: ({ input, axis }: InputAxis) => has(node.inputs[input], axis, atom),
  });
  for (const node of graph.nodes) {
    const rule = findChannelRule(node.op)?.constant;
    node.outputs.forEach((name, output) => {
      const numbers = new Map<Id, number>();
      computed.set(name, numbers);
      if (!rule) return;
      const places = axes.get(name)!.flatMap((_, axis) => [...new Set(freeOf(name, axis))]);
      for (const atom of [WHOLE, ...onlyOnce(places)]) {
        const number = rule(callOf(node, output, atom));
        if (number !== undefined) numbers.set(atom, number);
      }
    });
  }
  return { at, along, whole: (value) => at(value, WHOLE) };
}

/**
 * Atoms that a value has on one axis alone. Where one lies on two, its elements do not come from those of the operands
 * that have it: row r of a table of sums holds sums with every column.
 */
function onlyOnce(places: readonly Id[]): Id[] {
  const counts = new Map<Id, number>();
  for (const atom of places) counts.set(atom, (counts.get(atom) ?? 0) + 1);
  return [...counts].flatMap(([atom, count]) => (count === 1 ? [atom] : []));
}

/** For every index along an axis, the number that its whole slice holds, if it is one. */
function uniformSlices({ shape, data }: Tensor, axis: number): (number | undefined)[] {
  const inner = sizeOf(shape.slice(axis + 1));
  const length = shape[axis];
  return Array.from({ length }, (_, index) => {
    const first = data[index * inner];
    for (let start = index * inner; start < data.length; start += length * inner)
      for (let i = start; i < start + inner; i++) if (data[i] !== first) return undefined;
    return Number.isFinite(Number(first)) ? Number(first) : undefined;
  });
}
