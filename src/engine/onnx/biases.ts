import { wireReader } from "./wire.ts";

/**
 * Biases and the weights whose products they are added to, by the names of their initialisers: third inputs of Gemm, Conv and
 * ConvTranspose, and what an Add adds to a MatMul; through zeros that a Pad adds to them. Nothing else of the file is looked at.
 */
export function findBiases(file: Uint8Array): Map<string, string> {
  const reader = wireReader(file, "an ONNX model");
  const biases = new Map<string, string>();
  /** By the name of a MatMul's result. */
  const products = new Map<string, string>();
  /** What a Pad has filled up, by the name of its result. */
  const padded = new Map<string, string>();
  const storedAs = (name: string) => padded.get(name) ?? name;
  const readNode = () => {
    const inputs: string[] = [];
    let [op, result] = ["", ""];
    reader.eachField((field) => {
      if (field === 1) inputs.push(storedAs(reader.string("input")));
      else if (field === 2) result = reader.string("output");
      else if (field === 4) op = reader.string("op_type");
    });
    if (WITH_BIAS.has(op) && inputs[2]) biases.set(inputs[2], inputs[1]);
    if (op === "Pad") padded.set(result, inputs[0]);
    if (op === "MatMul") products.set(result, inputs[1]);
    if (op !== "Add") return;
    const at = inputs.findIndex((name) => products.has(name));
    if (at >= 0) biases.set(inputs[1 - at], products.get(inputs[at])!);
  };
  reader.eachField((field) => {
    if (field !== 7) return;
    reader.message("graph", () =>
      reader.eachField((inner) => {
        if (inner === 1) reader.message("node", readNode);
      }),
    );
  });
  return biases;
}

const WITH_BIAS = new Set(["Gemm", "Conv", "ConvTranspose"]);
