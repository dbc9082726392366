import { env } from "#onnxruntime";
import type { Device } from "../../src/engine/session.ts";
import { tenSteps } from "./ten-steps.ts";

env.wasm.wasmPaths = "/ort/";

declare global {
  interface Window {
    tenSteps: (device: Device) => Promise<number[]>;
    hasAdapter: () => Promise<boolean>;
  }
}

window.tenSteps = tenSteps;
window.hasAdapter = async () => {
  const { gpu } = navigator as { gpu?: { requestAdapter(): Promise<object | null> } };
  return Boolean(await gpu?.requestAdapter());
};
