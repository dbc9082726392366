import { existsSync } from "node:fs";
import { readFile, stat } from "node:fs/promises";
import { homedir } from "node:os";
import { basename, join } from "node:path";
import { promisify } from "node:util";
import { gunzip as gunzipCallback } from "node:zlib";
import { type ParsedTarFileItem, parseTar } from "nanotar";
import { Problem } from "../problem.ts";
import { readCifar10 } from "./cifar.ts";
import { checkDataset, type Dataset, type Split } from "./dataset.ts";
import { download } from "./download.node.ts";
import { fileProblem } from "./file-problem.node.ts";
import { isGzip } from "./gzip.ts";
import { readIdx } from "./idx.ts";
import { type ImageFolderOptions, loadImageFolder } from "./image-folder.node.ts";
import { datasetFromNpz } from "./npz-dataset.ts";
import { DATASET_NAMES, IDX_FILES, REMOTE_DATASETS, type RemoteDataset } from "./registry.ts";
import { glyphs } from "./synthetic/glyphs.ts";

const gunzip = promisify(gunzipCallback);

/** Far above the largest known set, CIFAR-10 with 184 MB. */
const MAX_UNPACKED = 2 ** 30;

export interface LoadOptions {
  /** Where the files already are; nothing is downloaded then. Default: the environment variable FILIGREE_DATA. */
  dataDir?: string;
  /** Where downloads are kept. Default: `$XDG_CACHE_HOME/filigree`, or `~/.cache/filigree`. */
  cacheDir?: string;
  /** Folders on the net to download from instead of the public ones. */
  mirrors?: string[];
  onProgress?: (file: string, bytes: number, total: number) => void;
  /** Stops a download once it is aborted. */
  signal?: AbortSignal;
  /** How to read a folder of images. */
  images?: ImageFolderOptions;
  /** The names of a network's inputs, by which an .npz file may have them. */
  inputNames?: readonly string[];
}

const CIFAR_BATCHES = [...[1, 2, 3, 4, 5].map((n) => `data_batch_${n}.bin`), "test_batch.bin"];

/** Sets of files that hold CIFAR-10, whole or its beginning; the first complete one is taken. */
const CIFAR_CHOICES = [
  CIFAR_BATCHES,
  ["cifar-10-binary.tar.gz"],
  ["train_first4000.bin", "test_first1000.bin"],
];

interface NamedBytes {
  name: string;
  bytes: Uint8Array;
}

/**
 * Loads a data set by name (mnist, fashion-mnist, cifar10, glyphs) or from a path: a folder of images or an .npz file
 * with x_train, y_train, x_test and y_test.
 *
 * Named sets come from `dataDir` if one is given, otherwise from the cache, otherwise from the net. In a data directory
 * the files may lie in `<dir>/<name>` or in `<dir>` itself, packed or not.
 */
export async function loadDataset(nameOrPath: string, options: LoadOptions = {}): Promise<Dataset> {
  if (nameOrPath === "glyphs") return glyphs();
  const entry = REMOTE_DATASETS.find((d) => d.name === nameOrPath);
  if (!entry) return await fromPath(nameOrPath, options);
  const { train, test } = entry.name === "cifar10" ? await cifar(entry, options) : await idx(entry, options);
  const { name, classes, inputShape, scale } = entry;
  return checkDataset({ name, train, test, classes, inputShape, scale });
}

async function fromPath(path: string, options: LoadOptions): Promise<Dataset> {
  const found = await stat(path).catch(() => undefined);
  if (found?.isDirectory()) return await loadImageFolder(path, options.images);
  if (found && path.endsWith(".npz"))
    return datasetFromNpz(await readBytes(path), basename(path), options.inputNames);
  throw new Problem(
    `${path}: ${found ? "neither a folder of images nor an .npz file" : "no such data set, folder or file"}; ` +
      `known names are ${DATASET_NAMES.join(", ")}`,
  );
}

async function readBytes(path: string): Promise<Uint8Array> {
  return await readFile(path).catch((error) => {
    throw fileProblem("read", path, error);
  });
}

async function idx(entry: RemoteDataset, options: LoadOptions): Promise<{ train: Split; test: Split }> {
  const [trainInputs, trainLabels, testInputs, testLabels] = await openFiles(entry, options, [IDX_FILES]);
  return { train: idxSplit(trainInputs, trainLabels), test: idxSplit(testInputs, testLabels) };
}

function idxSplit(images: NamedBytes, labels: NamedBytes): Split {
  const x = readIdx(images.bytes, images.name);
  const y = readIdx(labels.bytes, labels.name);
  if (x.dtype !== "uint8" || x.shape.length !== 3)
    throw new Problem(`${images.name}: expected uint8 images of rank 3, found ${x.dtype} [${x.shape}]`);
  if (y.dtype !== "uint8" || y.shape.length !== 1)
    throw new Problem(`${labels.name}: expected uint8 labels of rank 1, found ${y.dtype} [${y.shape}]`);
  const [count, height, width] = x.shape;
  return {
    inputs: { ...x, shape: [count, 1, height, width] } as Split["inputs"],
    labels: Int32Array.from(y.data as Uint8Array),
  };
}

async function cifar(entry: RemoteDataset, options: LoadOptions): Promise<{ train: Split; test: Split }> {
  let files = await openFiles(entry, options, CIFAR_CHOICES);
  if (files.length === 1) files = untar(files[0]);
  const isTest = ({ name }: NamedBytes) => basename(name).startsWith("test");
  return {
    train: readCifar10(files.filter((file) => !isTest(file))),
    test: readCifar10(files.filter(isTest)),
  };
}

/** The batches in a tar archive, in their order. */
function untar({ name, bytes }: NamedBytes): NamedBytes[] {
  let entries: ParsedTarFileItem[];
  try {
    // The tar reader takes the whole buffer behind an array for the archive.
    entries = parseTar(bytes.length === bytes.buffer.byteLength ? bytes : new Uint8Array(bytes));
  } catch (error) {
    throw new Problem(`${name}: the tar archive is damaged (${(error as Error).message})`);
  }
  return CIFAR_BATCHES.map((wanted) => {
    const found = entries.find((entry) => basename(entry.name) === wanted);
    if (!found?.data) throw new Problem(`${name}: holds no ${wanted}`);
    return { name: `${name}/${wanted}`, bytes: found.data };
  });
}

/** The files of the first complete choice, unpacked where they are gzip'd. */
async function openFiles(
  entry: RemoteDataset,
  options: LoadOptions,
  choices: readonly (readonly string[])[],
): Promise<NamedBytes[]> {
  const dir = options.dataDir ?? process.env.FILIGREE_DATA;
  const paths = dir ? inDataDir(entry, dir, choices) : await fetched(entry, options);
  const opened = paths.map(async (name) => {
    const bytes = await readBytes(name);
    return { name, bytes: isGzip(bytes) ? await unpack(bytes, name) : bytes };
  });
  // Of several files that cannot be read, the first is named, not the one that failed first.
  await Promise.allSettled(opened);
  return await Promise.all(opened);
}

/** Several times faster than the portable `gunzip`, and off the main thread. */
async function unpack(bytes: Uint8Array, name: string): Promise<Uint8Array> {
  try {
    return await gunzip(bytes, { maxOutputLength: MAX_UNPACKED });
  } catch (error) {
    throw new Problem(`${name}: the compressed data are damaged (${(error as Error).message})`);
  }
}

function inDataDir(entry: RemoteDataset, dir: string, choices: readonly (readonly string[])[]): string[] {
  const underscored = entry.name.replaceAll("-", "_");
  for (const folder of [entry.name, underscored, `${underscored}_subset`, "cifar-10-batches-bin", ""])
    for (const names of choices) {
      const paths = names.map((name) =>
        [name, `${name}.gz`].map((n) => join(dir, folder, n)).find(existsSync),
      );
      if (paths.every((path) => path !== undefined)) return paths;
    }
  throw new Problem(
    `${entry.name}: not in the data directory ${dir}; put ${choices.map((names) => names.join(", ")).join(" or ")} ` +
      `(.gz or not) into ${join(dir, entry.name)}, or leave --data-dir and FILIGREE_DATA out to download it`,
  );
}

/** The files in the cache, downloaded now where they are missing. */
async function fetched(entry: RemoteDataset, options: LoadOptions): Promise<string[]> {
  const cache = options.cacheDir ?? join(process.env.XDG_CACHE_HOME || join(homedir(), ".cache"), "filigree");
  const names = entry.files.map((f) => f.name).join(", ");
  const otherwise = `get the files of ${entry.name} (${names}) some other way and give their folder as --data-dir or FILIGREE_DATA`;
  const paths: string[] = [];
  for (const file of entry.files)
    paths.push(
      await download(file, options.mirrors ?? entry.mirrors, join(cache, entry.name), {
        ...options,
        otherwise,
      }),
    );
  return paths;
}
