import { columnsOf, count, mean, table, times } from "./format.mjs";

/** Packed files with five bits a weight: one row a method, means over the seeds. */
function packed({ rows }) {
  return table(
    [
      "network",
      "weights in use",
      "index: file",
      "runs",
      "CSR",
      "bitmap",
      "value",
      "file, bytes",
      "gzip, bytes",
      "of the dense file",
    ],
    columnsOf(rows, "method").map((method) => {
      const own = rows.filter((r) => r.method === method && r.storage === "5 bits");
      const of = (pick) => mean(own.map(pick));
      const each = (pick) => of((r) => pick(r) / r.nonZeros).toFixed(2);
      return [
        method,
        count(of((r) => r.nonZeros)),
        each((r) => r.indexBits.file),
        each((r) => r.indexBits.runs),
        each((r) => r.indexBits.csr),
        each((r) => r.indexBits.bitmap),
        each((r) => r.valueBits),
        count(of((r) => r.bytes)),
        count(of((r) => r.gzipBytes)),
        `1/${of((r) => r.onnxBytes / r.bytes).toFixed(1)}`,
      ];
    }),
  );
}

/** Of a way to store quantised weights that have trained on. */
const TRAINED = ", trained";

/** Error and bytes by storage. */
function packedBits({ rows }) {
  const storages = columnsOf(rows, "storage").filter((s) => !s.endsWith(TRAINED));
  return table(
    ["network", ...storages],
    columnsOf(rows, "method").map((method) => [
      method,
      ...storages.map((storage) => {
        const own = rows.filter((r) => r.method === method && r.storage === storage);
        if (own.length === 0) return "";
        return `${mean(own.map((r) => r.error)).toFixed(2)}, ${count(mean(own.map((r) => r.bytes)))} B`;
      }),
    ]),
  );
}

/** Error and bytes before and after quantised weights have trained on. */
function packedTrained({ rows }) {
  const storages = columnsOf(rows, "storage").filter((s) => s.endsWith(TRAINED));
  const figures = (own) =>
    `${mean(own.map((r) => r.error)).toFixed(2)}, ${count(mean(own.map((r) => r.bytes)))} B`;
  const of = (method, storage) => rows.filter((r) => r.method === method && r.storage === storage);
  return table(
    ["network", "quantised", "at once", "trained"],
    columnsOf(rows, "method").flatMap((method) =>
      storages
        .filter((storage) => of(method, storage).length > 0)
        .map((storage) => {
          const name = storage.slice(0, -TRAINED.length);
          const once = of(method, name);
          return [method, name, once.length > 0 ? figures(once) : "–", figures(of(method, storage))];
        }),
    ),
  );
}

/** Bytes of the same levels by several codes. */
function packing({ rows }) {
  return table(
    [
      "matrix",
      "size",
      "in use",
      "runs and Huffman, bytes",
      "adaptive",
      "DeepCABAC",
      "DeepCABAC ÷ adaptive",
      "decoding, ns a weight: adaptive",
      "DeepCABAC",
    ],
    rows.map((r) => [
      r.name,
      `${r.rows} × ${r.columns}`,
      count(r.nonZeros),
      count(r.bytes.prefix),
      count(r.bytes.adaptive),
      count(r.bytes.deepcabac),
      (r.bytes.deepcabac / r.bytes.adaptive).toFixed(3),
      r.decodeNanoseconds.adaptive,
      r.decodeNanoseconds.deepcabac,
    ]),
  );
}

/** Tables of docs/encoding.md: the name of each, the results it shows, and how. */
export const TABLES = {
  packed: ["turbo-packed", packed],
  "packed-bits": ["turbo-packed", packedBits],
  "packed-trained": ["turbo-packed", packedTrained],
  packing: ["packing", packing],
  runs: [
    "runs",
    ({ rows }) =>
      table(
        [
          "layer",
          "density",
          "mask",
          "dense",
          "weight by weight",
          "in runs",
          "runs against weight by weight",
          "against dense",
        ],
        rows.map((r) => [
          r.layer,
          `${Number((100 * r.density).toPrecision(2))} %`,
          r.mask,
          r.microseconds.dense,
          r.microseconds.rows,
          r.microseconds.runs,
          times(r.rowsOverRuns),
          times(r.denseOverRuns),
        ]),
      ),
  ],
};
