import { spawn } from "node:child_process";
import { createInterface } from "node:readline";

/** NNCodec's coder in a process of its own. */
export interface Coder {
  /** Of the package. */
  version: string;
  code(levels: Int32Array, rows: number, columns: number): Promise<Coded>;
  end(): void;
}

/** The least bytes, and processor seconds. */
export interface Coded {
  bytes: number;
  encode: number;
  decode: number;
}

/** Starts it; undefined, and why is said, where this interpreter does not have it. */
export async function startCoder(python: string): Promise<Coder | undefined> {
  const child = spawn(python, [new URL("../../../bench/peers/deepcabac.py", import.meta.url).pathname], {
    stdio: ["pipe", "pipe", "ignore"],
  });
  child.on("error", () => {});
  child.stdin.on("error", () => {});
  const lines = createInterface({ input: child.stdout })[Symbol.asyncIterator]();
  const first = await lines.next();
  if (first.done) {
    console.error(
      `${python} has no nncodec with NumPy (pip install numpy; pip install --no-deps nncodec): only this library is measured`,
    );
    return undefined;
  }
  return {
    version: JSON.parse(first.value).nncodec,
    code: async (levels, rows, columns) => {
      child.stdin.write(
        `${JSON.stringify({ rows, columns, levels: Buffer.from(levels.buffer).toString("base64") })}\n`,
      );
      const { value, done } = await lines.next();
      if (done) throw new Error("DeepCABAC ended early, or what it decoded was not what it was given");
      return JSON.parse(value);
    },
    end: () => child.stdin.end(),
  };
}
