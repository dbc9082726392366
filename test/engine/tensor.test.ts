import { expect, test } from "vitest";
import type { ArrayOf, DType, Shape } from "../../src/engine/tensor.ts";
import { DTYPES, fromNumbers, tensor, viewAs, zeros } from "../../src/engine/tensor.ts";
import { Problem } from "../../src/problem.ts";

test.each(DTYPES)("%s at an odd offset of a Buffer is copied into place", (dtype) => {
  const data = fromNumbers(dtype, [1, 0, 1]);
  const bytes = new Uint8Array(data.buffer);
  for (const offset of [0, 1, 3]) {
    const around = Buffer.alloc(bytes.length + 8);
    around.set(bytes, offset);
    expect(viewAs(dtype, around.subarray(offset, offset + bytes.length))).toEqual(data);
  }
});

test.each<[DType, readonly number[] | ArrayOf[DType], string]>([
  ["int32", [1.5, 2], "1.5 is no int32; round it"],
  ["int32", [1, Number.NaN], "NaN is no int32"],
  ["uint8", [1, 256], "256 is no uint8"],
  ["uint32", [-1, 1], "-1 is no uint32"],
  ["int64", [0, 0.5], "0.5 is no int64"],
  ["int64", [Number.POSITIVE_INFINITY, 0], "Infinity is no int64"],
  [
    "float32",
    new Float64Array(2),
    "a float32 tensor takes a Float32Array or plain numbers, got a Float64Array",
  ],
  ["int64", new Int32Array(2), "takes a BigInt64Array or plain numbers, got a Int32Array"],
])("%s of %j is refused", (dtype, data, words) => {
  expect(() => tensor(dtype, [2], data as ArrayOf[DType])).toThrow(words);
  expect(() => tensor(dtype, [2], data as ArrayOf[DType])).toThrow(Problem);
});

test("what a type holds is taken: plain numbers, its own array, a Buffer as bytes", () => {
  expect([...tensor("float32", [3], [0.1, Number.NaN, 1]).data]).toEqual([Math.fround(0.1), Number.NaN, 1]);
  expect([...tensor("int64", [3], [2 ** 63, -(2 ** 63), 5]).data]).toEqual([
    2n ** 63n - 1n,
    -(2n ** 63n),
    5n,
  ]);
  const data = Buffer.from([1, 0]);
  expect(tensor("uint8", [2], data).data).toBe(data);
  expect([...tensor("bool", [2], [1, 0]).data]).toEqual([1, 0]);
});

test.each<{ shape: Shape }>([{ shape: [2.5] }, { shape: [-1, -2] }, { shape: [Number.NaN] }])(
  "zeros of $shape are refused",
  ({ shape }) => {
    expect(() => zeros(shape)).toThrow(`a tensor cannot have the shape [${shape}]`);
    expect(() => zeros(shape)).toThrow(Problem);
  },
);

test("a tensor of negative lengths is refused where its size is right", () => {
  expect(() => tensor("float32", [-1, -2], [1, 2])).toThrow("cannot have the shape [-1,-2]");
});
