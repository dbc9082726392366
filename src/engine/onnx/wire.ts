import { PbfReader } from "pbf";
import { Problem } from "../../problem.ts";

// The four layouts of a protobuf field; the groups of old (3 and 4) never occur in ONNX.
const VARINT = 0;
const FIXED64 = 1;
const BYTES = 2;
const FIXED32 = 5;
const layouts = ["an integer", "8 bytes", "a length and bytes", "a group", "a group's end", "4 bytes"];

/**
 * A protobuf message under the eyes of a sceptic. `pbf` itself reads past the end of the data without a word; here
 * every length is held against the end of the enclosing message and every layout against what the field asks for.
 * All methods but the last three read the value of the field that `eachField` stands on; `name` is for error messages.
 */
export interface WireReader {
  /** Calls `visit` with the number of each field of the current message; a value left unread is skipped. */
  eachField(visit: (field: number) => void): void;
  /** Reads a nested message: `read` sees only its fields. */
  message<T>(name: string, read: () => T): T;
  /** An integer of up to 53 bits. */
  int(name: string): number;
  /** A repeated integer, alone or packed; `value` is rounded beyond 53 bits, `exact()` is not. */
  ints(name: string, take: (value: number, exact: () => bigint) => void): void;
  float(name: string): number;
  /** The little-endian bytes of a repeated float (`size` 4) or double (8), alone or packed: a view of the file. */
  fixed(name: string, size: 4 | 8): Uint8Array;
  string(name: string): string;
  /** A view of the file. */
  bytes(name: string): Uint8Array;
  /** Goes back to the first field of the current message, to read it once more. */
  rewind(): void;
  /** Throws a Problem: what stands here is not what the format allows. */
  damaged(what: string, name?: string): never;
  /** Throws a Problem: the file may be sound, but Filigree cannot use it. */
  refuse(what: string, name?: string): never;
}

/** UTF-8 text, or undefined where the bytes are none. */
export function utf8(bytes: Uint8Array): string | undefined {
  try {
    return strictUtf8.decode(bytes);
  } catch {
    return undefined;
  }
}
const strictUtf8 = new TextDecoder("utf-8", { fatal: true, ignoreBOM: true });

/** Starts to read `file`; `what` names its kind in error messages ("an ONNX model"). */
export function wireReader(file: Uint8Array, what: string): WireReader {
  // A plain Uint8Array, because the `slice` of Node's Buffer does not copy, and alignment relies on a copy.
  const bytes = new Uint8Array(file.buffer, file.byteOffset, file.byteLength);
  const pbf = new PbfReader(bytes);
  const path: string[] = [];
  let start = 0;
  let end = bytes.length;
  let fieldStart = 0;
  let layout = VARINT;

  const where = (name?: string) => {
    const field = [...path, ...(name ? [name] : [])].join(".");
    return field ? `${field} (byte ${fieldStart})` : `byte ${fieldStart}`;
  };
  const damaged = (finding: string, name?: string): never => {
    throw new Problem(`not ${what}, or a damaged one: ${where(name)}: ${finding}`);
  };
  const refuse = (finding: string, name?: string): never => {
    throw new Problem(`${where(name)}: ${finding}`);
  };
  const expect = (wanted: number, name: string) => {
    if (layout !== wanted)
      damaged(`stored as ${layouts[layout] ?? `unknown layout ${layout}`}, not as ${layouts[wanted]}`, name);
  };
  const need = (count: number, name?: string) => {
    if (count > end - pbf.pos)
      damaged(`needs ${count} bytes, but its message ends after ${end - pbf.pos}`, name);
  };

  function varint(name?: string): number {
    const limit = Math.min(end, pbf.pos + 10);
    let last = pbf.pos;
    while (last < limit && bytes[last] > 0x7f) last++;
    if (last === limit)
      damaged(limit === end ? "an integer is cut off" : "an integer of more than 10 bytes", name);
    return pbf.readVarint(true);
  }
  function varintAgain(from: number): bigint {
    let value = 0n;
    for (let p = pbf.pos - 1; p >= from; p--) value = (value << 7n) | BigInt(bytes[p] & 0x7f);
    return BigInt.asIntN(64, value);
  }
  function length(name?: string): number {
    const count = varint(name);
    if (count < 0) damaged("a length of 2^63 bytes or more", name);
    need(count, name);
    return count;
  }
  function view(count: number): Uint8Array {
    const from = pbf.pos;
    pbf.pos += count;
    return bytes.subarray(from, pbf.pos);
  }
  function within<T>(name: string, read: () => T): T {
    expect(BYTES, name);
    const count = length(name);
    const outer = [start, end];
    start = pbf.pos;
    end = start + count;
    path.push(name);
    const result = read();
    path.pop();
    [start, end] = outer;
    return result;
  }
  function skip() {
    if (layout === VARINT) varint();
    else if (layout === BYTES) view(length());
    else {
      if (layout !== FIXED32 && layout !== FIXED64) damaged(`a field of unknown layout ${layout}`);
      const count = layout === FIXED32 ? 4 : 8;
      need(count);
      view(count);
    }
  }
  function eachField(visit: (field: number) => void) {
    while (pbf.pos < end) {
      fieldStart = pbf.pos;
      const tag = varint();
      if (tag < 8 || tag > 0xffffffff) damaged(`no field has the tag ${tag}`);
      layout = tag & 7;
      const valueStart = pbf.pos;
      visit(tag >>> 3);
      if (pbf.pos === valueStart) skip();
    }
  }
  function takeBytes(name: string): Uint8Array {
    expect(BYTES, name);
    return view(length(name));
  }

  return {
    eachField,
    message: within,
    int(name) {
      expect(VARINT, name);
      const value = varint(name);
      return Number.isSafeInteger(value) ? value : refuse("an integer of more than 53 bits", name);
    },
    ints(name, take) {
      const one = (field?: string) => {
        const from = pbf.pos;
        take(varint(field), () => varintAgain(from));
      };
      if (layout === VARINT) one(name);
      else
        within(name, () => {
          while (pbf.pos < end) one();
        });
    },
    float(name) {
      expect(FIXED32, name);
      need(4, name);
      return pbf.readFloat();
    },
    fixed(name, size) {
      if (layout === (size === 4 ? FIXED32 : FIXED64)) {
        need(size, name);
        return view(size);
      }
      const packed = takeBytes(name);
      if (packed.length % size)
        damaged(`${packed.length} bytes are no whole number of ${size}-byte values`, name);
      return packed;
    },
    string: (name) => utf8(takeBytes(name)) ?? damaged("text that is not UTF-8", name),
    bytes: takeBytes,
    rewind() {
      pbf.pos = start;
    },
    damaged,
    refuse,
  };
}
