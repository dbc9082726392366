import { stat } from "node:fs/promises";
import type { Dataset } from "../data/dataset.ts";
import type { ImageFolderOptions } from "../data/image-folder.node.ts";
import type { LoadOptions } from "../data/load.node.ts";
import { loadDataset } from "../data/load.node.ts";
import { readInputs } from "./load-model.node.ts";

/**
 * A data set for a model, both by name or path. Images of a folder are read as the model in a file takes them: in its channels, and
 * brought to its height and width; arrays of an .npz file may be named like its inputs.
 */
export async function loadDataFor(model: string, data: string, options: LoadOptions): Promise<Dataset> {
  if (!/\.(onnx|flg)$/.test(model)) return await loadDataset(data, options);
  const found = await stat(data).catch(() => undefined);
  if (found?.isDirectory()) return await loadDataset(data, { images: await imagesFor(model), ...options });
  if (!found || !data.endsWith(".npz")) return await loadDataset(data, options);
  const inputNames = (await readInputs(model)).map(({ name }) => name);
  return await loadDataset(data, { inputNames, ...options });
}

async function imagesFor(path: string): Promise<ImageFolderOptions> {
  const [first, ...others] = await readInputs(path);
  const [, channels, height, width] = (others.length === 0 && first?.shape) || [];
  return {
    ...((channels === 1 || channels === 3) && { channels }),
    ...(height && width && { size: [height, width] as const }),
  };
}
