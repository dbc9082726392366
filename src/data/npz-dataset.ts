import type { Tensor } from "../engine/tensor.ts";
import { Problem } from "../problem.ts";
import {
  checkDataset,
  type Dataset,
  isFedAsIs,
  measureScale,
  type SampleTensor,
  type Split,
  unscaled,
} from "./dataset.ts";
import { readNpz } from "./npz.ts";

/**
 * A data set from an .npz file with x_train, y_train, x_test and y_test (the names of Keras' own files). Inputs are
 * uint8 or float32 with samples first and channels before height and width, where [samples, height, width] counts as
 * grey; or ids, int32 or int64, in any shape. Labels are integers from 0; classes are called by their numbers.
 *
 * @param inputNames Of a network. Where there are several, or no x_train, inputs are arrays under these names, such as
 *   ids_train and mask_train, float32 or ids, of any shape and fed as they are.
 */
export function datasetFromNpz(bytes: Uint8Array, name: string, inputNames: readonly string[] = []): Dataset {
  const arrays = readNpz(bytes, name);
  const named = inputNames.length > 1 || (inputNames.length === 1 && !arrays.has("x_train"));
  const read = (part: string) => splitOf(arrays, part, name, named ? inputNames : undefined);
  const train = read("train");
  const test = read("test");
  const highest = train.labels.reduce((a, b) => Math.max(a, b), 0);
  if (train.labels.length > 0 && highest >= train.labels.length)
    throw new Problem(
      `${name}: y_train goes up to ${highest} in ${train.labels.length} samples; count classes from 0`,
    );
  const inputShape = train.inputs.shape.slice(1);
  return checkDataset({
    name: name.replace(/\.npz$/, ""),
    train,
    test,
    classes: Array.from({ length: highest + 1 }, (_, i) => `${i}`),
    inputShape,
    scale: isFedAsIs(train) ? unscaled(inputShape) : measureScale(train.inputs),
  });
}

function splitOf(
  arrays: Map<string, Tensor>,
  part: string,
  name: string,
  inputNames?: readonly string[],
): Split {
  const array = (key: string) => {
    const found = arrays.get(key);
    if (!found) throw new Problem(`${name}: has no array ${key}; found ${[...arrays.keys()].join(", ")}`);
    return found;
  };
  const [inputs, ...others] = (inputNames ?? ["x"]).map((input): SampleTensor => {
    const key = `${input}_${part}`;
    const x = array(key);
    if (x.dtype === "int32" || x.dtype === "int64") return idsOf(x, `${name}: ${key}`);
    if (x.dtype !== "float32" && (inputNames || x.dtype !== "uint8"))
      throw new Problem(
        `${name}: ${key} is ${x.dtype} [${x.shape}]; expected ${inputNames ? "" : "uint8 or "}float32 [samples, ...], or ids as int32 or int64`,
      );
    const [samples, ...rest] = x.shape;
    const shape = rest.length === 2 && !inputNames ? [samples, 1, ...rest] : x.shape;
    return { ...x, shape } as SampleTensor;
  });
  const y = array(`y_${part}`);
  if (y.dtype.startsWith("float") || y.dtype === "bool" || y.shape.length !== 1)
    throw new Problem(`${name}: y_${part} is ${y.dtype} [${y.shape}]; expected integers [samples]`);
  return {
    inputs,
    ...(inputNames && { others }),
    labels: Int32Array.from(y.data, toLabel),
  };
}

/** Ids as int32. */
function idsOf({ shape, data }: Tensor, what: string): Tensor<"int32"> {
  if (data instanceof Int32Array) return { dtype: "int32", shape, data };
  const ids = Int32Array.from(data, Number);
  const wrong = ids.findIndex((id, i) => id !== Number(data[i]));
  if (wrong >= 0) throw new Problem(`${what} holds ${data[wrong]}, which does not fit into an int32`);
  return { dtype: "int32", shape, data: ids };
}

/** −1, which no data set accepts, for what does not fit into an int32. */
function toLabel(value: number | bigint): number {
  return value >= 0 && value < 2 ** 31 ? Number(value) : -1;
}
