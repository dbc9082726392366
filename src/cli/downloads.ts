import type { LoadOptions } from "../data/load.node.ts";
import { formatBytes } from "../runs/format.ts";
import type { Progress } from "./progress.ts";
import { startProgress } from "./progress.ts";

/** A progress bar for each file that `loadDataset` downloads. */
export function downloadProgress(): Required<Pick<LoadOptions, "onProgress">> {
  let current: { file: string; progress: Progress } | undefined;
  return {
    onProgress: (file, bytes, total) => {
      if (current?.file !== file) {
        current?.progress.end();
        current = {
          file,
          progress: startProgress({ label: file, total, format: formatBytes, from: bytes }),
        };
      }
      current.progress.update(bytes);
      if (bytes < total) return;
      current.progress.end();
      current = undefined;
    },
  };
}
