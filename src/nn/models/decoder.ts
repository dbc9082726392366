import type { Graph, Value } from "../../engine/graph.ts";
import { constant, createGraph, input, output } from "../../engine/graph.ts";
import {
  add,
  concat,
  embedding,
  gather,
  gemm,
  matmul,
  mul,
  neg,
  relu,
  reshape,
  rmsNorm,
  silu,
  slice,
  softmax,
  transpose,
} from "../../engine/operators/index.ts";
import { tensor } from "../../engine/tensor.ts";
import { Problem } from "../../problem.ts";
import type { Initializer } from "../initializers.ts";
import { constantFill, normal } from "../initializers.ts";
import { layers } from "../layers.ts";
import { checkTransformer } from "./check-transformer.ts";
import { futureMask } from "./future-mask.ts";

export interface DecoderOptions {
  /**
   * `opt` (Zhang et al. 2022): learned positions, layer norms, ReLU, biases. `llama` (Touvron et al. 2023): rotary
   * positions, RMS norms, gated SiLU, no biases.
   */
  layout: "opt" | "llama";
  vocabulary: number;
  /** Tokens in a sequence. */
  context: number;
  width: number;
  blocks: number;
  heads: number;
  /** Heads of keys and values, each for as many of the queries (Ainslie et al. 2023). Default `heads`. */
  keyValueHeads?: number;
  mlpWidth: number;
  /** Rows of OPT's table of positions. Default `context`. */
  positions?: number;
  /** Its rows before the first position: OPT has 2. Default 0. */
  positionOffset?: number;
  /** Width of the token table where it differs from that of the blocks: then OPT projects in and out. */
  embeddingWidth?: number;
  /** Normalise after each sublayer is added, and not at the end, as OPT-350M does. Default false: before each, and at the end. */
  normAfter?: boolean;
  /** Of LLaMA's rotary positions: coordinates i and i + size/2 of a head turn by base^(−2i/size) a token. Default 10,000. */
  rotaryBase?: number;
  /** What LLaMA's norms add to the mean square. Default 1e-6. */
  normEpsilon?: number;
  /** The output layer is the token table. Default: in OPT's layout. */
  tied?: boolean;
  /** Of all matrices but the tables. Default normal with standard deviation .02; biases are 0. */
  initializer?: Initializer;
  /** Of the tables. Default that of the matrices. */
  tableInitializer?: Initializer;
  batch?: number;
  seed?: number;
}

/** The published sizes (spec sst.md 4.1). Give `context` and `batch`. */
export const DECODER_SIZES = {
  "opt-125m": opt(12, 768, 12),
  "opt-350m": { ...opt(24, 1024, 16), embeddingWidth: 512, normAfter: true },
  "opt-1.3b": opt(24, 2048, 32),
  "llama-130m": llama(12, 768, 12, 2048),
  "llama-1.3b": llama(24, 2048, 32, 5461),
} as const satisfies Record<string, Omit<DecoderOptions, "context">>;

function opt(blocks: number, width: number, heads: number) {
  const table = { vocabulary: 50_272, positions: 2050, positionOffset: 2 };
  return { layout: "opt", ...table, blocks, width, heads, mlpWidth: 4 * width } as const;
}

function llama(blocks: number, width: number, heads: number, mlpWidth: number) {
  return { layout: "llama", vocabulary: 32_000, blocks, width, heads, mlpWidth } as const;
}

/**
 * A decoder-only transformer over int32 tokens [batch, context]: logits of the next token [batch·context, vocabulary]. Throws
 * a `Problem` for sizes that do not fit together.
 */
export function decoder(options: DecoderOptions): Graph {
  checkOptions(options);
  const { context, batch = 1 } = options;
  const graph = createGraph("decoder");
  const ids = input(graph, "input", [batch, context], { dtype: "int32" });
  output(logitsOf(ids, options));
  return graph;
}

function checkOptions({
  layout,
  vocabulary,
  context,
  width,
  heads,
  mlpWidth,
  ...more
}: DecoderOptions): void {
  const { blocks, positions = context, positionOffset = 0, embeddingWidth = width, batch = 1 } = more;
  const { keyValueHeads = heads, rotaryBase = 10_000, normEpsilon = 1e-6 } = more;
  if (layout !== "opt" && layout !== "llama")
    throw new Problem(`decoder: there is no layout "${layout}"; take opt or llama`);
  const sizes = { vocabulary, context, width, blocks, heads, keyValueHeads, mlpWidth, positions };
  checkTransformer("decoder", { ...sizes, embeddingWidth, batch }, { evenHeads: layout === "llama" });
  if (heads % keyValueHeads !== 0)
    throw new Problem(
      `decoder: ${keyValueHeads} heads of keys and values cannot serve ${heads} of queries in equal shares; take a divisor of ${heads}`,
    );
  for (const [name, value] of Object.entries({ rotaryBase, normEpsilon }))
    if (!(value > 0 && Number.isFinite(value)))
      throw new Problem(`decoder: ${name} is ${value}; take a number above 0`);
  if (layout === "opt" && positions < context + positionOffset)
    throw new Problem(
      `decoder: a table of ${positions} positions ends before the context of ${context} from row ${positionOffset} on; take ${context + positionOffset} or more`,
    );
}

/** Logits [batch·context, vocabulary] of what follows each of `ids` [batch, context]; adds the parameters to its graph. */
function logitsOf(ids: Value, options: DecoderOptions): Value {
  const { layout, vocabulary, context, width, blocks, heads, seed = 0 } = options;
  const { positions = context, positionOffset = 0, embeddingWidth = width, normAfter = false } = options;
  const { initializer = normal(0.02), tableInitializer = initializer, tied = layout === "opt" } = options;
  const { keyValueHeads = heads, rotaryBase = 10_000, normEpsilon = 1e-6 } = options;
  const mask = futureMask(ids.graph, context);
  const build = layers(ids.graph, seed);
  const linear = (name: string, x: Value, features: number, bias = layout === "opt") => {
    const inputs = x.shape[1];
    const w = build.weight(`${name}.weight`, [features, inputs], inputs, initializer);
    const c = bias ? build.weight(`${name}.bias`, [features], inputs, constantFill(0)) : undefined;
    return gemm(x, w, { c, transB: true });
  };
  const norm = (name: string, x: Value) =>
    layout === "opt"
      ? build.layerNorm(name, x)
      : rmsNorm(x, build.weight(`${name}.weight`, [width], width, constantFill(1)), { epsilon: normEpsilon });

  const tokens = build.weight(
    "tokens.weight",
    [vocabulary, embeddingWidth],
    embeddingWidth,
    tableInitializer,
  );
  let x = reshape(embedding(tokens, ids), [-1, embeddingWidth]);
  if (embeddingWidth !== width) x = linear("project_in", x, width, false);
  if (layout === "opt") {
    const table = build.weight("positions.weight", [positions, width], width, tableInitializer);
    const sequences = reshape(x, [-1, context, width]);
    const rows = { start: positionOffset, end: positionOffset + context };
    x = reshape(add(sequences, positions === context ? table : slice(table, { 0: rows })), [-1, width]);
  }
  const sublayer = (name: string, v: Value, compute: (v: Value) => Value) =>
    normAfter ? norm(name, add(v, compute(v))) : add(v, compute(norm(name, v)));
  for (let i = 0; i < blocks; i++) {
    const part = (name: string) => `layers.${i}.${name}`;
    x = sublayer(part("norm1"), x, (v) => {
      const size = width / heads;
      const project = (name: string, count: number) =>
        transpose(
          reshape(linear(part(`attention.${name}`), v, count * size), [-1, context, count, size]),
          [0, 2, 1, 3],
        );
      const place = (u: Value) => (layout === "llama" ? rotate(u, rotaryBase) : u);
      const share = (u: Value) => (keyValueHeads === heads ? u : repeatHeads(u, heads / keyValueHeads));
      const [query, key] = [place(project("q", heads)), share(place(project("k", keyValueHeads)))];
      const value = share(project("v", keyValueHeads));
      const scores = mul(matmul(query, transpose(key, [0, 1, 3, 2])), size ** -0.5);
      const mixed = matmul(softmax(add(scores, mask)), value);
      return linear(part("attention.out"), reshape(transpose(mixed, [0, 2, 1, 3]), [-1, width]), width);
    });
    x = sublayer(part("norm2"), x, (v) => mlp(part("mlp"), v, options, linear));
  }
  if (!normAfter) x = norm("norm", x);
  if (embeddingWidth !== width) x = linear("project_out", x, embeddingWidth, false);
  return tied ? matmul(x, transpose(tokens, [1, 0])) : linear("head", x, vocabulary, false);
}

type Linear = (name: string, x: Value, features: number) => Value;

function mlp(name: string, x: Value, { layout, width, mlpWidth }: DecoderOptions, linear: Linear): Value {
  const up = linear(`${name}.up`, x, mlpWidth);
  const hidden = layout === "opt" ? relu(up) : mul(silu(linear(`${name}.gate`, x, mlpWidth)), up);
  return linear(`${name}.down`, hidden, width);
}

/** Each head of x [batch, heads, tokens, size] so many times, one after the other. */
function repeatHeads(x: Value, times: number): Value {
  const [, count] = x.shape;
  return gather(
    x,
    Array.from({ length: count * times }, (_, i) => Math.floor(i / times)),
    1,
  );
}

/** Rotary positions of x [batch, heads, tokens, size]: coordinates i and i + size/2 turn by position·base^(−2i/size). */
function rotate(x: Value, base: number): Value {
  const [, , tokens, size] = x.shape;
  const half = size / 2;
  const table = (f: (angle: number) => number) => {
    const data = new Float32Array(tokens * size);
    for (let p = 0; p < tokens; p++)
      for (let i = 0; i < size; i++) data[p * size + i] = f(p * base ** ((-2 * (i % half)) / size));
    return constant(x.graph, tensor("float32", [tokens, size], data));
  };
  const turned = concat([neg(slice(x, { 3: { start: half } })), slice(x, { 3: { start: 0, end: half } })], 3);
  return add(mul(x, table(Math.cos)), mul(turned, table(Math.sin)));
}
