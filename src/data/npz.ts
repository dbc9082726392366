import { zipSync } from "fflate";
import type { Tensor } from "../engine/tensor.ts";
import { Problem } from "../problem.ts";
import { printable } from "./bytes.ts";
import { readNpy, writeNpy } from "./npy.ts";
import { readZip } from "./zip.ts";

/**
 * Reads an .npz archive (a zip of .npy files, stored or deflated) as name → tensor.
 *
 * Memory: {@link readNpy} on top of {@link readZip}: five times the file when stored, six times MAX_INFLATION (1032)
 * times the file when deflated.
 */
export function readNpz(bytes: Uint8Array, name = ".npz data"): Map<string, Tensor> {
  const tensors = new Map<string, Tensor>();
  for (const [file, body] of readZip(bytes, name)) {
    if (!file.endsWith(".npy")) throw new Problem(`${name}: ${printable(file)} is not a .npy array`);
    tensors.set(file.slice(0, -4), readNpy(body, `${name}: ${printable(file)}`));
  }
  return tensors;
}

/** Writes an .npz archive, deflated unless `compress` is false; the same tensors give the same bytes. */
export function writeNpz(
  tensors: ReadonlyMap<string, Tensor>,
  { compress = true }: { compress?: boolean } = {},
): Uint8Array {
  const files: Record<string, Uint8Array> = {};
  for (const [name, tensor] of tensors) files[`${name}.npy`] = writeNpy(tensor);
  // The earliest date that zip knows, in local time: the archive must not depend on when or where it is made.
  return zipSync(files, { level: compress ? 6 : 0, mtime: new Date(1980, 0, 1) });
}
