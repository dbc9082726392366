import { Problem } from "../../problem.ts";
import type { Graph, Node } from "../graph.ts";
import type { Tensor } from "../tensor.ts";

/** Inputs that hold trained weights, by operator: what becomes a parameter. Statistics and shapes stay constants. */
const TRAINABLE: Record<string, readonly number[]> = {
  Conv: [1, 2],
  ConvTranspose: [1, 2],
  Gemm: [0, 1, 2],
  MatMul: [0, 1],
  BatchNormalization: [1, 2],
  LayerNormalization: [1, 2],
  InstanceNormalization: [1, 2],
  PRelu: [1],
  Gather: [0],
  Add: [0, 1],
  Sub: [0, 1],
  Mul: [0, 1],
  Div: [0, 1],
};
/** Operators that read what was computed of initialisers for other reasons, too; ones and zeros of group normalisation are such. */
const STORED_ONLY = new Set(["Add", "Sub", "Mul", "Div", "InstanceNormalization"]);

/**
 * Entries of a file's metadata, JSON lists of names: parameters that are also read otherwise than as weights, and would be
 * folded into something else there; and constants that are read as if they were weights.
 */
const KEYS = { parameters: "filigree.parameters", constants: "filigree.constants" } as const;

/** Inputs of a node that are read as weights, among `stored` initialisers and what was computed of them. */
export function weightsRead(
  { op, inputs }: Node,
  tensorOf: (name: string) => Tensor | undefined,
  stored: (name: string) => boolean,
): string[] {
  return (TRAINABLE[op] ?? []).flatMap((i) => {
    const t = tensorOf(inputs[i] ?? "");
    if (t?.dtype !== "float32" || t.shape.length === 0 || t.data.length < 2) return [];
    return STORED_ONLY.has(op) && !stored(inputs[i]) ? [] : [inputs[i]];
  });
}

/** Metadata with which a graph's file gives back what its parameters are, and what its constants. */
export function withRoles(
  { nodes, parameters, constants }: Graph,
  metadata: Readonly<Record<string, string>>,
): Record<string, string> {
  const tensorOf = (name: string) => parameters.get(name) ?? constants.get(name);
  const [asWeights, otherwise] = [new Set<string>(), new Set<string>()];
  for (const node of nodes) {
    // Zeros that fill widths up (`alignChannels`) become part of the weights where a file is read.
    if (node.op === "Pad") continue;
    const weights = weightsRead(node, tensorOf, () => true);
    for (const name of node.inputs) (weights.includes(name) ? asWeights : otherwise).add(name);
  }
  const odd = {
    parameters: [...parameters.keys()].filter((name) => otherwise.has(name)),
    constants: [...constants.keys()].filter((name) => asWeights.has(name)),
  };
  const kept = Object.entries(metadata).filter(([key]) => !(Object.values(KEYS) as string[]).includes(key));
  const own = (["parameters", "constants"] as const)
    .filter((role) => odd[role].length > 0)
    .map((role) => [KEYS[role], JSON.stringify(odd[role])]);
  return Object.fromEntries([...kept, ...own]);
}

/** The names that a file's metadata give a role. */
export function namesOf(
  role: keyof typeof KEYS,
  metadata: Readonly<Record<string, string>>,
): ReadonlySet<string> {
  const text = metadata[KEYS[role]];
  if (text === undefined) return new Set();
  try {
    const names: unknown = JSON.parse(text);
    if (Array.isArray(names) && names.every((name) => typeof name === "string")) return new Set(names);
  } catch {
    // Said below.
  }
  throw new Problem(`the model's metadata "${KEYS[role]}" are no list of names`);
}
