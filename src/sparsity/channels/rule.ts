import type { Attributes, Node, ValueType } from "../../engine/graph.ts";
import type { Shape, Tensor } from "../../engine/tensor.ts";
import type { Atoms, Ids } from "./atoms.ts";

/** The atoms of every index of every axis of a value. */
export type Axes = readonly Ids[];

/** One axis of one input of a node. */
export interface InputAxis {
  input: number;
  axis: number;
}

/** A factor of a sum of products: the axis that is summed over, or the part of its atoms that `ids` names. */
export interface Factor extends InputAxis {
  ids?: Ids;
}

export interface FlowCall {
  readonly node: Node;
  readonly attributes: Attributes;
  readonly inputs: readonly (Axes | undefined)[];
  readonly outputShapes: readonly Shape[];
  readonly atoms: Atoms;
  /** `Conv "name"`, for reasons. */
  readonly label: string;
  /** The numbers of input `i` where it is an initialiser. */
  constant(i: number): number[] | undefined;
  /** Ties two axes of equal length, index by index. */
  tie(a: Ids, b: Ids): void;
  /** Demands that every index stays; the reason starts with the label. */
  block(ids: Ids, reason: string): void;
  /**
   * Declares that the node sums over the product of these axes, which are tied here and may vanish: an index goes
   * without a trace where one of the factors is zero.
   */
  contract(...factors: Factor[]): void;
}

/** What is known of the elements of a value that belong to one atom. */
export interface ConstantCall {
  readonly node: Node;
  readonly attributes: Attributes;
  readonly inputTypes: readonly (ValueType | undefined)[];
  readonly outputTypes: readonly ValueType[];
  /** Which output is asked for. */
  readonly output: number;
  /** The number that all elements of the atom have in input `i`, whatever is fed; undefined where they vary. */
  known(i: number): number | undefined;
  /** The same for one axis of an initialiser only: the rows of a square weight apart from its columns. */
  knownAlong(where: InputAxis): number | undefined;
  /** Whether indices of this axis of input `i` belong to the atom. */
  has(where: InputAxis): boolean;
}

/** A node whose inputs have lost channels. */
export interface ResizeCall {
  readonly node: Node;
  readonly attributes: Attributes;
  /** Shapes of the inputs as they were. */
  readonly before: readonly (Shape | undefined)[];
  readonly inputs: readonly (Shape | undefined)[];
  readonly outputs: readonly Shape[];
  constant(i: number): number[] | undefined;
  /** Positions that stay along an axis of a value of the node, by name. */
  kept(name: string, axis: number): readonly number[];
}

/** What changes in the node. */
export interface Resized {
  /** Constants that take the place of inputs. */
  inputs?: Readonly<Record<number, Tensor>>;
  attributes?: Attributes;
}

/** What the analysis knows of one operator, side by side. */
export interface ChannelRule {
  /** Ties the atoms of the inputs and gives those of the outputs. */
  flow(call: FlowCall): Axes[];
  /** Absent: nothing is known of the outputs. */
  constant?(call: ConstantCall): number | undefined;
  /** Absent: the node reads the same at every width. */
  resize?(call: ResizeCall): Resized;
}

const table = new Map<string, ChannelRule>();

/** Enters the rule of one or several operators. */
export function defineChannelRule(ops: string | readonly string[], rule: ChannelRule): void {
  for (const op of typeof ops === "string" ? [ops] : ops) {
    if (table.has(op)) throw new Error(`the channel rule of ${op} is defined twice`);
    table.set(op, rule);
  }
}

export function findChannelRule(op: string): ChannelRule | undefined {
  return table.get(op);
}
