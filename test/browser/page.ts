import { env } from "#onnxruntime";
import type { Device } from "../../src/engine/session.ts";
import { tenSteps } from "./ten-steps.ts";

env.wasm.wasmPaths = "/ort/";

declare global {
  interface Window {
    tenSteps: (device: Device) => Promise<number[]>;
  }
}

window.tenSteps = tenSteps;
