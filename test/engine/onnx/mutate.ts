import type { Random } from "../../../src/random.ts";

/** A protobuf message taken apart, without the code under test, so that its fields can be moved about. */
interface Field {
  number: number;
  wire: number;
  /** The nested fields of a message; the bytes of anything else, without their length. */
  value: Uint8Array | Field[];
  /** How much the written length differs from the truth. */
  lie?: number;
}

/** Which fields of onnx.proto are messages. */
interface Schema {
  [field: number]: Schema;
}
const entry: Schema = {};
const tensor: Schema = { 13: entry };
const valueInfo: Schema = { 2: { 1: { 2: { 1: {} } } } };
const attribute: Schema = { 5: tensor };
const graph: Schema = { 1: { 5: attribute }, 5: tensor, 11: valueInfo, 12: valueInfo, 13: valueInfo };
attribute[6] = graph;
const model: Schema = { 7: graph, 8: {}, 14: entry };

function parse(bytes: Uint8Array, schema: Schema): Field[] {
  const fields: Field[] = [];
  let at = 0;
  const varint = () => {
    let value = 0;
    let scale = 1;
    while (true) {
      const byte = bytes[at++];
      value += (byte & 127) * scale;
      if (byte < 128) return value;
      scale *= 128;
    }
  };
  while (at < bytes.length) {
    const tag = varint();
    const number = Math.floor(tag / 8);
    const wire = tag % 8;
    if (wire === 2) {
      const length = varint();
      const value = bytes.subarray(at, (at += length));
      fields.push({ number, wire, value: schema[number] ? parse(value, schema[number]) : value });
    } else {
      const from = at;
      if (wire === 0) varint();
      else at += wire === 1 ? 8 : 4;
      fields.push({ number, wire, value: bytes.subarray(from, at) });
    }
  }
  return fields;
}

const written = new WeakMap<Field, Uint8Array>();

function serialise(fields: Field[]): Uint8Array {
  return Buffer.concat(
    fields.map((field) => {
      let bytes = written.get(field);
      if (!bytes) {
        const value = Array.isArray(field.value) ? serialise(field.value) : field.value;
        const length = field.wire === 2 ? varint(Math.max(0, value.length + (field.lie ?? 0))) : [];
        bytes = Buffer.concat([
          new Uint8Array(varint(field.number * 8 + field.wire)),
          new Uint8Array(length),
          value,
        ]);
        written.set(field, bytes);
      }
      return bytes;
    }),
  );
}

function varint(value: number): number[] {
  const bytes = [];
  for (; value > 127; value = Math.floor(value / 128)) bytes.push((value % 128) | 128);
  return [...bytes, value];
}

/** Integers that decoders trip over: 0, −1, the ends of int32, uint32, 53 bits and int64, and 10 bytes too many. */
const extremes = [
  [0],
  [255, 255, 255, 255, 255, 255, 255, 255, 255, 1],
  varint(2 ** 31),
  varint(2 ** 32 - 1),
  varint(2 ** 40),
  varint(2 ** 53),
  [255, 255, 255, 255, 255, 255, 255, 255, 127],
  Array(11).fill(128),
];

/** Draws damaged versions of a valid file, the same ones for the same seed. */
export function mutator(file: Uint8Array, { integer }: Random) {
  const root = parse(file, model);
  const all: Field[] = [];
  const paths: number[][] = [];
  (function collect(fields: Field[], path: number[]) {
    fields.forEach((field, i) => {
      all.push(field);
      paths.push([...path, i]);
      if (Array.isArray(field.value)) collect(field.value, [...path, i]);
    });
  })(root, []);

  const draw = <T>(items: readonly T[]): T => items[integer(items.length)];

  /** Copies the messages along `path` and hands the last one's field to `change`; all lengths are set right again. */
  function splice(fields: Field[], path: number[], change: (field: Field) => Field[]): Field[] {
    const [i, ...rest] = path;
    const field = fields[i];
    const changed = rest.length
      ? [{ ...field, value: splice(field.value as Field[], rest, change) }]
      : change(field);
    return [...fields.slice(0, i), ...changed, ...fields.slice(i + 1)];
  }

  const fieldChanges: ((field: Field) => Field[])[] = [
    () => [],
    (field) => [field, field],
    (field) => [field, draw(all)],
    () => [draw(all)],
    (field) => [{ ...field, number: 1 + integer(25) }],
    (field) => [{ ...field, wire: integer(8) }],
    (field) => [{ ...field, lie: draw([-1000, -8, -1, 1, 8, 1000, 2 ** 31, 2 ** 53]) }],
    (field) => [{ ...field, wire: 0, value: new Uint8Array(draw(extremes)) }],
    (field) => [{ ...field, wire: 2, value: new Uint8Array(integer(16)).map(() => integer(256)) }],
  ];

  const byteChanges: ((bytes: Uint8Array) => Uint8Array)[] = [
    (bytes) => bytes.subarray(0, integer(bytes.length)),
    (bytes) => {
      for (let flips = 1 + integer(8); flips > 0; flips--) bytes[integer(bytes.length)] ^= 1 << integer(8);
      return bytes;
    },
    (bytes) => {
      // Early bytes are mostly structure: that is where lengths and tags are hit.
      bytes[integer(Math.min(bytes.length, 400))] = integer(256);
      return bytes;
    },
    (bytes) => {
      const from = integer(bytes.length);
      bytes.copyWithin(integer(bytes.length), from, from + integer(64));
      return bytes;
    },
  ];

  return (): Uint8Array => {
    if (integer(3) === 0) return draw(byteChanges)(file.slice());
    let fields = splice(root, draw(paths), draw(fieldChanges));
    // A second change among the outer fields, whose paths the first can hardly have removed.
    if (integer(4) === 0 && fields.length)
      fields = splice(fields, [integer(fields.length)], draw(fieldChanges));
    return serialise(fields);
  };
}
