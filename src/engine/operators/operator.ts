import type { Attribute, Attributes, Graph, Value, ValueType } from "../graph.ts";
import { addNode, constant } from "../graph.ts";
import { scoped } from "../scope.ts";
import type { DType, Shape } from "../tensor.ts";
import { fromNumbers, tensor, toNumbers } from "../tensor.ts";

export type AttributeKind = "int" | "float" | "string" | "ints" | "floats" | "strings" | "tensor";

/** Values in double precision: what the reference evaluation computes with. Integers and booleans are exact. */
export interface Numeric {
  readonly shape: Shape;
  readonly data: Float64Array;
}

export interface InferCall {
  readonly inputs: readonly (ValueType | undefined)[];
  readonly attributes: Attributes;
  readonly outputCount: number;
  /** The numbers of input `i` where it is a constant, else undefined. */
  constant(i: number): number[] | undefined;
}

export interface GradientCall {
  readonly graph: Graph;
  readonly inputs: readonly Value[];
  readonly outputs: readonly Value[];
  /** Gradient of the loss with respect to each output; undefined where the loss does not depend on it. */
  readonly gradients: readonly (Value | undefined)[];
  readonly attributes: Attributes;
  /** Which inputs need a gradient: a rule may return undefined for the others. */
  readonly wanted: readonly boolean[];
}

export interface EvaluateCall {
  readonly inputs: readonly Numeric[];
  readonly inputTypes: readonly ValueType[];
  readonly outputTypes: readonly ValueType[];
  readonly attributes: Attributes;
}

export interface LowerCall {
  readonly graph: Graph;
  readonly inputs: readonly (Value | undefined)[];
  readonly outputs: readonly ValueType[];
  readonly attributes: Attributes;
}

/** Domain of the operators that no runtime has: they stand for what `lower` spells out. */
export const INTERNAL_DOMAIN = "filigree";

/**
 * One ONNX operator (opset 17 spelling): its shape rule, its gradient rule and its meaning in double precision, side
 * by side. `evaluate` folds constants at import and is the oracle that the tests hold the gradients and ONNX Runtime to.
 */
export interface Operator {
  readonly name: string;
  /** "" for the standard operators; `com.microsoft` for those only ONNX Runtime has; `INTERNAL_DOMAIN`. */
  readonly domain: string;
  /** What files call it, where two domains use one name. Default: `name`. */
  readonly onnxName?: string;
  readonly attributes: Readonly<Record<string, AttributeKind>>;
  infer(call: InferCall): ValueType[];
  /** Absent where the operator has no derivative (comparisons, shapes, indices). */
  gradient?(call: GradientCall): (Value | undefined)[];
  evaluate(call: EvaluateCall): Numeric[];
  /** Spells an internal operator in standard ones. Some devices have better spellings: see `lowering/`. */
  lower?(call: LowerCall): Value[];
}

const table = new Map<string, Operator>();

/** Enters an operator in the table. */
export function defineOperator(
  operator: Omit<Operator, "domain" | "attributes"> & Partial<Pick<Operator, "domain" | "attributes">>,
): Operator {
  const entry = { domain: "", attributes: {}, ...operator };
  if (table.has(entry.name)) throw new Error(`operator ${entry.name} is defined twice`);
  table.set(entry.name, entry);
  return entry;
}

export function findOperator(name: string): Operator | undefined {
  return table.get(name);
}

export function operatorNames(): string[] {
  return [...table.keys()].sort();
}

export interface ApplyOptions {
  /** How many outputs to ask for, where an operator has optional ones. */
  outputCount?: number;
  /** Name of the node and its first output (made unique); the operator's name by default. */
  name?: string;
}

/** Adds one operator to the graph of its inputs. Throws with the node's name where shapes or types do not fit. */
export function apply(
  graph: Graph,
  op: string,
  inputs: readonly (Value | undefined)[],
  attributes: Attributes = {},
  { outputCount = 1, name }: ApplyOptions = {},
): Value[] {
  const operator = table.get(op);
  if (!operator) throw new Error(`unknown operator ${op}`);
  const nodeName = scoped(graph, name ?? op);
  const types = inferNode(graph, operator, inputs, attributes, outputCount, nodeName);
  return addNode(graph, op, inputs, attributes, types, nodeName);
}

/** The output types of one node; errors carry the node's name and operator. */
export function inferNode(
  graph: Graph,
  operator: Operator,
  inputs: readonly (ValueType | undefined)[],
  attributes: Attributes,
  outputCount: number,
  nodeName: string,
): ValueType[] {
  const constantOf = (i: number) => {
    const value = inputs[i] as Value | undefined;
    const found = value && graph.constants.get(value.name);
    return found && Array.from(toNumbers(found));
  };
  try {
    return operator.infer({ inputs, attributes, outputCount, constant: constantOf }).slice(0, outputCount);
  } catch (error) {
    throw new Error(`${operator.name} node "${nodeName}": ${(error as Error).message}`);
  }
}

/** What an operator function takes where a tensor is expected: a value, or a number that becomes a scalar constant. */
export type Operand = Value | number;

/** `operand` as a value of the dtype of `like`. */
export function operandValue(operand: Operand, like: Value): Value {
  return typeof operand === "number" ? scalar(like.graph, operand, like.dtype) : operand;
}

export function scalar(graph: Graph, value: number, dtype: DType = "float32"): Value {
  return constant(graph, tensor(dtype, [], fromNumbers(dtype, [value])));
}

/** A constant vector of 64-bit integers: axes, shapes, positions. */
export function integers(graph: Graph, values: readonly number[]): Value {
  return constant(graph, tensor("int64", [values.length], values));
}

// Reading attributes and constants -----------------------------------------------------------------------------------

export function numberAttribute(attributes: Attributes, name: string, fallback: number): number {
  return (attributes[name] as number | undefined) ?? fallback;
}

export function numbersAttribute(attributes: Attributes, name: string): number[] | undefined {
  const value: Attribute | undefined = attributes[name];
  return value === undefined ? undefined : [...(value as readonly number[])];
}

export function stringAttribute(attributes: Attributes, name: string, fallback: string): string {
  return (attributes[name] as string | undefined) ?? fallback;
}

/** The value of an attribute that has no default; `meaning` tells whoever left it out what it is. */
export function requireAttribute<T extends Attribute>(
  attributes: Attributes,
  name: string,
  meaning: string,
): T {
  const value = attributes[name];
  if (value === undefined) throw new Error(`the attribute ${name} is missing; it is ${meaning}`);
  return value as T;
}

/** The numbers of an input that the shape depends on; throws where it is computed at run time. */
export function requireConstant(call: InferCall, i: number, what: string): number[] {
  const values = call.constant(i);
  if (!values) throw new Error(`its ${what} must be constant`);
  return values;
}

/** Axis in 0 .. rank−1 from one in −rank .. rank−1; throws when out of range. */
export function normalizeAxis(axis: number, rank: number): number {
  if (axis < -rank || axis >= rank) throw new Error(`axis ${axis} is out of range for rank ${rank}`);
  return axis < 0 ? axis + rank : axis;
}
