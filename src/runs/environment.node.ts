import { availableParallelism } from "node:os";
import * as ort from "#onnxruntime";
import { filigreeVersion } from "./version.node.ts";

/** What a run's numbers depend on besides its recipe. */
export function softwareVersions(): Record<string, string> {
  return {
    filigree: filigreeVersion(),
    node: process.versions.node,
    onnxruntime: ort.env.versions.node ?? ort.env.versions.common,
  };
}

/** Threads that a recipe gets unless it asks for a number. */
export function defaultThreads(): number {
  return availableParallelism();
}
