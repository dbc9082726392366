import { instantiate } from "../../kernels/instantiate.ts";
import { sparseRelaxedWasm } from "../../kernels/sparse.relaxed.wasm.ts";
import { sparseWasm } from "../../kernels/sparse.wasm.ts";
import { sparseCellsWasm } from "../../kernels/sparseCells.wasm.ts";

/** The functions of kernels/sparse.ts and kernels/sparseCells.ts; their comments say what the numbers are. */
export interface SparseKernels {
  limit(low: number, high: number): void;
  rowProduct(
    y: number,
    x: number,
    bias: number,
    starts: number,
    entries: number,
    rows: number,
    accumulate: boolean,
    strips: number,
    yStrip: number,
    xStrip: number,
    columns: number,
    yRow: number,
  ): void;
  blockProduct: SparseKernels["rowProduct"];
  rowVector(y: number, x: number, bias: number, starts: number, entries: number, rows: number): void;
  blockVector: SparseKernels["rowVector"];
  runVector: SparseKernels["rowVector"];
  interleave(
    y: number,
    yPlane: number,
    yRow: number,
    yCell: number,
    x: number,
    xSample: number,
    lanes: number,
    planes: number,
    rows: number,
    columns: number,
  ): void;
  separate(
    y: number,
    ySample: number,
    x: number,
    xPlane: number,
    xRow: number,
    xCell: number,
    lanes: number,
    planes: number,
    rows: number,
    columns: number,
  ): void;
  copyCells(
    y: number,
    yPlane: number,
    yRow: number,
    yCell: number,
    x: number,
    xPlane: number,
    xRow: number,
    xCell: number,
    planes: number,
    rows: number,
    columns: number,
    lanes: number,
  ): void;
  addRows(
    y: number,
    yPlane: number,
    yRow: number,
    a: number,
    aPlane: number,
    aRow: number,
    b: number,
    bPlane: number,
    bRow: number,
    planes: number,
    rows: number,
    length: number,
    low: number,
    high: number,
  ): void;
  affineRows(
    y: number,
    yPlane: number,
    yRow: number,
    x: number,
    xPlane: number,
    xRow: number,
    factor: number,
    offset: number,
    planes: number,
    rows: number,
    length: number,
    low: number,
    high: number,
  ): void;
  pool(
    y: number,
    yPlane: number,
    yRow: number,
    x: number,
    xPlane: number,
    xRow: number,
    planes: number,
    lanes: number,
    average: boolean,
    whole: number,
    height: number,
    width: number,
    yHeight: number,
    yWidth: number,
    kernelHeight: number,
    kernelWidth: number,
    strideY: number,
    strideX: number,
    dilationY: number,
    dilationX: number,
    top: number,
    left: number,
  ): void;
}

/** The kernel modules; with fused multiply–add where the engine has relaxed SIMD. */
export function sparseModules(): string[] {
  return [hasRelaxedSimd() ? sparseRelaxedWasm : sparseWasm, sparseCellsWasm];
}

/** The kernels, working on one memory. */
export function sparseKernels(memory: WebAssembly.Memory): SparseKernels {
  return Object.assign(
    {},
    ...sparseModules().map((wasm) => instantiate<Partial<SparseKernels>>(wasm, memory)),
  );
}

/** Node.js has it from version 22, Chromium from 114; a processor without the instruction makes two of it. */
export function hasRelaxedSimd(): boolean {
  return WebAssembly.validate(Uint8Array.from(atob(sparseRelaxedWasm), (c) => c.charCodeAt(0)));
}
