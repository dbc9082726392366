import { Problem } from "../../problem.ts";
import { sizeOf } from "../tensor.ts";
import { dataTypeCode } from "./data-types.ts";
import { wireReader } from "./wire.ts";

/** Where the numbers of a float32 initialiser lie in an .onnx file. */
export interface FloatData {
  name: string;
  shape: number[];
  /** First byte in the file; 4 bytes a number follow, little-endian. */
  offset: number;
}

/**
 * The float32 initialisers of an .onnx file whose numbers lie in one piece, in the order of the file. Nothing else of the file is
 * looked at: whoever takes these bytes out can put others of the same length back. Throws a `Problem` where the file is
 * damaged, or keeps weights in other files.
 */
export function locateFloats(file: Uint8Array): FloatData[] {
  const reader = wireReader(file, "an ONNX model");
  const found: FloatData[] = [];
  const readTensor = () => {
    const shape: number[] = [];
    let [name, code, external] = ["", 0, false];
    const pieces: Uint8Array[] = [];
    reader.eachField((field) => {
      if (field === 1) reader.ints("dims", (d) => shape.push(d));
      else if (field === 2) code = reader.int("data_type");
      else if (field === 4) pieces.push(reader.fixed("float_data", 4));
      else if (field === 8) name = reader.string("name");
      else if (field === 9) pieces.push(reader.bytes("raw_data"));
      else if (field === 14) external = reader.int("data_location") === 1;
    });
    if (external)
      throw new Problem(`the weights of "${name}" lie in another file; save the model as one file first`);
    if (code !== dataTypeCode("float32") || pieces.length !== 1) return;
    if (pieces[0].length !== 4 * sizeOf(shape) || pieces[0].length === 0) return;
    found.push({ name, shape, offset: pieces[0].byteOffset - file.byteOffset });
  };
  let hasGraph = false;
  reader.eachField((field) => {
    if (field !== 7) return;
    hasGraph = true;
    reader.message("graph", () =>
      reader.eachField((inner) => {
        if (inner === 5) reader.message("initializer", readTensor);
      }),
    );
  });
  if (!hasGraph) return reader.damaged("the file ends and has no graph");
  return found;
}
