import { stat } from "node:fs/promises";
import type { Dataset } from "../data/dataset.ts";
import type { ImageFolderOptions } from "../data/image-folder.node.ts";
import type { LoadOptions } from "../data/load.node.ts";
import { loadDataset } from "../data/load.node.ts";
import { problemOf, readInputShape } from "./load-model.node.ts";

/**
 * A data set for a model, both by name or path. Images of a folder are read as the model in a file takes them: in its channels, and
 * brought to its height and width.
 */
export async function loadDataFor(model: string, data: string, options: LoadOptions): Promise<Dataset> {
  const folder = /\.(onnx|flg)$/.test(model) && (await stat(data).catch(() => undefined))?.isDirectory();
  return await loadDataset(data, folder ? { images: await imagesFor(model), ...options } : options);
}

async function imagesFor(path: string): Promise<ImageFolderOptions> {
  const [, channels, height, width] =
    (await readInputShape(path).catch((error) => {
      throw problemOf(path, error);
    })) ?? [];
  return {
    ...((channels === 1 || channels === 3) && { channels }),
    ...(height && width && { size: [height, width] as const }),
  };
}
