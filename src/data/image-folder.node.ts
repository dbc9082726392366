import { readdir, readFile } from "node:fs/promises";
import { basename, join } from "node:path";
import { Problem } from "../problem.ts";
import { deriveSeed, random } from "../random.ts";
import { checkDataset, type Dataset, measureScale, type Split } from "./dataset.ts";
import { decodeImage, resizeImage } from "./image.ts";

export interface ImageFolderOptions {
  /** [height, width] of every image; without it all images must already agree. */
  size?: readonly [height: number, width: number];
  /** 3 for colour, 1 for grey. Default 1 where no image has colour, else 3. */
  channels?: 1 | 3;
  /** Share of each class that is kept for testing when the folder has no train/ and test/. Default 0.2. */
  testShare?: number;
  /** Chooses which images are kept for testing. Default 0. */
  seed?: number;
}

interface Listed {
  path: string;
  label: number;
}

/**
 * A data set from folders of .png and .jpg images, one folder a class: `<dir>/<class>/*.png`, divided at random into
 * train and test within each class, or `<dir>/train/<class>` and `<dir>/test/<class>`. Classes are numbered in the
 * order of their names; the scale is measured on the training images. All pixels are held in memory, a byte each.
 */
export async function loadImageFolder(dir: string, options: ImageFolderOptions = {}): Promise<Dataset> {
  const { testShare = 0.2, seed = 0 } = options;
  const top = await foldersOf(dir);
  const divided = top.includes("train") && top.includes("test");
  const classes = divided ? await foldersOf(join(dir, "train")) : top;
  if (classes.length === 0)
    throw new Problem(
      `${dir}: has no class folders; expected <class>/*.png or train/<class> and test/<class>`,
    );
  const parts: { train: Listed[]; test: Listed[] } = { train: [], test: [] };
  for (const [label, name] of classes.entries())
    if (divided)
      for (const part of ["train", "test"] as const)
        parts[part].push(...(await imagesOf(join(dir, part, name), label)));
    else {
      const images = await imagesOf(join(dir, name), label);
      const order = random(deriveSeed(seed, "image-folder", name)).permutation(images.length);
      const kept = new Set(order.subarray(0, Math.round(testShare * images.length)));
      images.forEach((image, i) => {
        parts[kept.has(i) ? "test" : "train"].push(image);
      });
    }
  if (parts.train.length === 0) throw new Problem(`${dir}: no .png or .jpg images to train on`);
  if (parts.test.length === 0)
    throw new Problem(
      divided
        ? `${dir}: no .png or .jpg images in test/<class>`
        : `${dir}: too few images to keep some for testing; put more into each class, or divide them into train/<class> and test/<class>`,
    );
  const first = options.size ?? (await sizeOfFirst(parts.train[0].path));
  const read = (list: Listed[]) => readAll(list, first, options.channels ?? 3, options.size !== undefined);
  const found = [await read(parts.train), await read(parts.test)];
  const grey = options.channels === undefined && found.every(isGrey);
  const [train, test] = grey ? found.map(firstChannel) : found;
  return checkDataset({
    name: basename(dir),
    train,
    test,
    classes,
    inputShape: train.inputs.shape.slice(1),
    scale: measureScale(train.inputs),
  });
}

async function readAll(
  list: Listed[],
  [height, width]: readonly [number, number],
  channels: 1 | 3,
  resize: boolean,
): Promise<Split> {
  const size = channels * height * width;
  const data = new Uint8Array(list.length * size);
  for (const [i, { path }] of list.entries()) {
    const image = decodeImage(await readFile(path), channels, path);
    if (!resize && (image.height !== height || image.width !== width))
      throw new Problem(
        `${path}: is ${image.width}×${image.height} pixels, the images before it ${width}×${height}; make them alike, or say a size to bring them to`,
      );
    data.set(resizeImage(image, height, width).data, i * size);
  }
  return {
    inputs: { dtype: "uint8", shape: [list.length, channels, height, width], data },
    labels: Int32Array.from(list, ({ label }) => label),
  };
}

/** Whether the three channels of every image are equal. */
function isGrey({ inputs: { shape, data } }: Split): boolean {
  const plane = shape[2] * shape[3];
  return data.every((v, i) => v === data[i - (Math.floor(i / plane) % 3) * plane]);
}

function firstChannel({ inputs: { shape, data }, labels }: Split): Split {
  const [count, channels, height, width] = shape;
  const size = height * width;
  const grey = new Uint8Array(count * size);
  for (let i = 0; i < count; i++)
    grey.set((data as Uint8Array).subarray(i * channels * size, (i * channels + 1) * size), i * size);
  return { inputs: { dtype: "uint8", shape: [count, 1, height, width], data: grey }, labels };
}

async function sizeOfFirst(path: string): Promise<[number, number]> {
  const { height, width } = decodeImage(await readFile(path), 1, path);
  return [height, width];
}

async function foldersOf(dir: string): Promise<string[]> {
  const entries = await readdir(dir, { withFileTypes: true }).catch(() => {
    throw new Problem(`${dir}: not a folder that can be read`);
  });
  return entries
    .filter((e) => e.isDirectory() && !e.name.startsWith("."))
    .map((e) => e.name)
    .sort();
}

async function imagesOf(dir: string, label: number): Promise<Listed[]> {
  const names = await readdir(dir).catch(() => {
    throw new Problem(`${dir}: there is no such class folder`);
  });
  return names
    .filter((name) => /\.(png|jpe?g)$/i.test(name) && !name.startsWith("."))
    .sort()
    .map((name) => ({ path: join(dir, name), label }));
}
