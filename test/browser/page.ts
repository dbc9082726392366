import { env } from "#onnxruntime";
import type { Device } from "../../src/engine/session.ts";
import { sparseOutputs } from "./sparse-session.ts";
import { tenSteps } from "./ten-steps.ts";

env.wasm.wasmPaths = "/ort/";

declare global {
  interface Window {
    tenSteps: (device: Device) => Promise<number[]>;
    sparseOutputs: typeof sparseOutputs;
    hasAdapter: () => Promise<boolean>;
  }
}

window.tenSteps = tenSteps;
window.sparseOutputs = sparseOutputs;
window.hasAdapter = async () => {
  const { gpu } = navigator as { gpu?: { requestAdapter(): Promise<object | null> } };
  return Boolean(await gpu?.requestAdapter());
};
