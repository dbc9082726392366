import type { Graph, Value } from "../../engine/graph.ts";
import { constant, createGraph, input, output } from "../../engine/graph.ts";
import {
  add,
  cast,
  embedding,
  equal,
  gemm,
  matmul,
  mul,
  relu,
  reshape,
  softmax,
  transpose,
} from "../../engine/operators/index.ts";
import { tensor } from "../../engine/tensor.ts";
import { lorentzPrototypes } from "../../geometry/decoders.ts";
import { lorentzAttention } from "../../geometry/lorentz-attention.ts";
import { lorentzEmbedding, lorentzLinear } from "../../geometry/lorentz-layers.ts";
import { Problem } from "../../problem.ts";
import type { Initializer } from "../initializers.ts";
import { constantFill, normal, uniformFanIn } from "../initializers.ts";
import type { Layers } from "../layers.ts";
import { layers } from "../layers.ts";
import { checkTransformer } from "./check-transformer.ts";
import { futureMask } from "./future-mask.ts";

export interface TranslatorOptions {
  /**
   * `euclidean`: layer norms before each sublayer (Vaswani et al. 2017; Xiong et al. 2020). `lorentz`: points of the
   * hyperboloid throughout, no norms (Chen et al. 2022, "Fully Hyperbolic Neural Networks").
   */
  geometry: "euclidean" | "lorentz";
  sourceVocabulary: number;
  targetVocabulary: number;
  /** Tokens in a source and in a target sequence. */
  sourceLength: number;
  targetLength: number;
  /** Rows of each table of positions. Default the longer of the two. */
  positions?: number;
  width: number;
  heads: number;
  mlpWidth: number;
  encoderBlocks: number;
  decoderBlocks: number;
  /** A source token at which nothing looks. */
  padding?: number;
  /** Standard deviation of position vectors. Default .02 (which stalls small hyperbolic networks; .3 does not). */
  positionStd?: number;
  /** Of the Euclidean matrices. Default uniform in ±1/√inputs. */
  initializer?: Initializer;
  batch?: number;
  seed?: number;
}

/** What attends: x [rows, width] at itself or at a memory. The result has the residual connection in it. */
interface Geometry {
  embed(name: string, ids: Value, vocabulary: number): Value;
  attend(name: string, x: Value, options: Attention): Value;
  mlp(name: string, x: Value): Value;
  finish(name: string, x: Value): Value;
  head(x: Value): Value;
}

interface Attention {
  length: number;
  memory?: Value;
  memoryLength?: number;
  mask?: Value;
}

/**
 * Encoder and decoder over int32 `source` [batch, sourceLength] and `target` [batch, targetLength], the tokens so far: logits
 * of each next target token [batch·targetLength, targetVocabulary]. Throws a `Problem` for sizes that do not fit together.
 */
export function translator(options: TranslatorOptions): Graph {
  checkOptions(options);
  const { sourceVocabulary, targetVocabulary, sourceLength, targetLength, padding, batch = 1 } = options;
  const graph = createGraph("translator");
  const build = layers(graph, options.seed ?? 0);
  const space = options.geometry === "lorentz" ? lorentzian(build, options) : euclidean(build, options);
  const source = input(graph, "source", [batch, sourceLength], { dtype: "int32" });
  const target = input(graph, "target", [batch, targetLength], { dtype: "int32" });
  const hidden =
    padding === undefined
      ? undefined
      : mul(reshape(cast(equal(source, padding), "float32"), [-1, 1, 1, sourceLength]), -1e9);

  let memory = space.embed("source", source, sourceVocabulary);
  for (let i = 0; i < options.encoderBlocks; i++) {
    memory = space.attend(`encoder.${i}.attention`, memory, { length: sourceLength, mask: hidden });
    memory = space.mlp(`encoder.${i}.mlp`, memory);
  }
  memory = space.finish("encoder.norm", memory);
  let x = space.embed("target", target, targetVocabulary);
  const future = futureMask(graph, targetLength);
  for (let i = 0; i < options.decoderBlocks; i++) {
    x = space.attend(`decoder.${i}.attention`, x, { length: targetLength, mask: future });
    x = space.attend(`decoder.${i}.memory`, x, {
      length: targetLength,
      memory,
      memoryLength: sourceLength,
      mask: hidden,
    });
    x = space.mlp(`decoder.${i}.mlp`, x);
  }
  output(space.head(space.finish("decoder.norm", x)));
  return graph;
}

function checkOptions({ geometry, width, heads, mlpWidth, batch = 1, ...more }: TranslatorOptions): void {
  if (geometry !== "euclidean" && geometry !== "lorentz")
    throw new Problem(`translator: there is no geometry "${geometry}"; take euclidean or lorentz`);
  const { sourceVocabulary, targetVocabulary, sourceLength, targetLength, encoderBlocks, decoderBlocks } =
    more;
  const { positions = Math.max(sourceLength, targetLength) } = more;
  const lengths = { sourceLength, targetLength, positions, batch };
  const sizes = { sourceVocabulary, targetVocabulary, mlpWidth, encoderBlocks, decoderBlocks };
  checkTransformer("translator", { width, heads, ...sizes, ...lengths });
  if (positions < Math.max(sourceLength, targetLength))
    throw new Problem(
      `translator: tables of ${positions} positions end before sequences of ${Math.max(sourceLength, targetLength)} tokens`,
    );
  if (geometry === "lorentz" && width === heads)
    throw new Problem(
      `translator: a point of one number is its time coordinate alone; take fewer than ${heads} heads`,
    );
}

function euclidean(build: Layers, options: TranslatorOptions): Geometry {
  const { width, heads, mlpWidth, targetVocabulary, initializer = uniformFanIn } = options;
  const size = width / heads;
  const linear = (name: string, x: Value, features: number) => {
    const w = build.weight(`${name}.weight`, [features, x.shape[1]], x.shape[1], initializer);
    const c = build.weight(`${name}.bias`, [features], x.shape[1], constantFill(0));
    return gemm(x, w, { c, transB: true });
  };
  return {
    embed: (name, ids, vocabulary) => {
      const rows = build.embedding(`${name}.tokens`, ids, vocabulary, width, { std: width ** -0.5 });
      return reshape(add(rows, positionsOf(build, name, ids, options)), [-1, width]);
    },
    attend: (name, x, { length, memory, memoryLength = length, mask }) => {
      const from = build.layerNorm(`${name}.norm`, x);
      const project = (part: string, v: Value, count: number) =>
        transpose(reshape(linear(`${name}.${part}`, v, width), [-1, count, heads, size]), [0, 2, 1, 3]);
      const seen = memory ?? from;
      const [q, k, v] = [
        project("query", from, length),
        project("key", seen, memoryLength),
        project("value", seen, memoryLength),
      ];
      const scores = mul(matmul(q, transpose(k, [0, 1, 3, 2])), size ** -0.5);
      const mixed = matmul(softmax(mask ? add(scores, mask) : scores), v);
      const joined = reshape(transpose(mixed, [0, 2, 1, 3]), [-1, width]);
      return add(x, linear(`${name}.out`, joined, width));
    },
    mlp: (name, x) => {
      const hidden = relu(linear(`${name}.up`, build.layerNorm(`${name}.norm`, x), mlpWidth));
      return add(x, linear(`${name}.down`, hidden, width));
    },
    finish: (name, x) => build.layerNorm(name, x),
    head: (x) => linear("head", x, targetVocabulary),
  };
}

function lorentzian(build: Layers, options: TranslatorOptions): Geometry {
  const { width, heads, mlpWidth, targetVocabulary } = options;
  const bound = 1 / Math.sqrt(width);
  return {
    embed: (name, ids, vocabulary) => {
      const points = reshape(lorentzEmbedding(build, `${name}.tokens`, ids, vocabulary, width), [-1, width]);
      const residual = reshape(positionsOf(build, name, ids, options), [-1, width]);
      return lorentzLinear(build, `${name}.place`, points, width, { residual, bound });
    },
    attend: (name, x, attention) => lorentzAttention(build, name, x, { heads, bound, ...attention }),
    mlp: (name, x) => {
      const hidden = lorentzLinear(build, `${name}.up`, x, mlpWidth, { bound });
      return lorentzLinear(build, `${name}.down`, hidden, width, {
        before: relu,
        residual: x,
        bound: 1 / Math.sqrt(mlpWidth),
      });
    },
    finish: (_, x) => x,
    head: (x) => lorentzPrototypes(build, "head", x, targetVocabulary),
  };
}

/** Position vectors for ids [batch, length]: [batch, length, width]. */
function positionsOf(
  build: Layers,
  name: string,
  ids: Value,
  { sourceLength, targetLength, width, positionStd = 0.02, ...options }: TranslatorOptions,
): Value {
  const count = options.positions ?? Math.max(sourceLength, targetLength);
  const table = build.weight(`${name}.positions.weight`, [count, width], width, normal(positionStd));
  const places = Array.from({ length: ids.shape[1] }, (_, i) => i);
  const range = constant(ids.graph, tensor("int32", [ids.shape[1]], places));
  return embedding(table, add(mul(ids, 0), range));
}
