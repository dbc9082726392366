import type { Cost } from "./accounting.ts";

/** What a machine is taken to spend, in picojoules. Its maker, or a measurement, has to say; there are no defaults. */
export interface EnergyCosts {
  perMac: number;
  /** Of a byte of weights, each of which is read once a sample. */
  perByte: number;
}

/**
 * An estimate of what one sample costs, in picojoules: MACs · `perMac` + bytes of the weights · `perByte` (wgsef.md 8). It
 * measures nothing, and leaves out activations and whatever else a machine does.
 */
export function estimateEnergy(
  { macs, bytes }: Pick<Cost, "macs" | "bytes">,
  { perMac, perByte }: EnergyCosts,
): number {
  return macs * perMac + bytes * perByte;
}
