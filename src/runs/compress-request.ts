import type { Device } from "../engine/session.ts";
import { Problem } from "../problem.ts";
import type { GroupChoice } from "../sparsity/groups/kinds.ts";
import type { KeepCounts } from "./budget.ts";
import type { InputScale } from "./input-scale.ts";
import type { MethodName, PosteriorMethod } from "./methods.ts";
import { isPosteriorMethod, methodOf } from "./methods.ts";
import type { Recipe, SparsifierRecipe } from "./recipe.ts";
import { readRecipe } from "./recipe-schema.ts";

interface Request {
  /** A built-in model, which is trained first, or the path of an .onnx file. */
  model: string;
  data: string;
  inputScale: InputScale;
  /** Share of the training samples that is held out, see `holdOut`. Default 0. */
  validation?: number;
  epochs: number;
  seed: number;
  batch: number;
  threads: number;
  /** Where it trains. Default `cpu`. */
  device?: Device;
  learningRate: number;
  /** Folder of the two training runs. */
  directory: string;
}

/** Groups of weights go, exactly as many as asked for. */
export interface GroupRequest extends Request {
  method: MethodName;
  /** What a group is. Default filters. */
  groups?: GroupChoice;
  /** Layers that keep all their groups. */
  exclude?: readonly string[];
  /** Groups to keep: a share of every layer's, counts by layer, or as many as a budget for the whole network allows. */
  budget: { keep: number | KeepCounts } | { within: string };
  /** Every layer keeps a multiple of this many groups, or all. Default 1. */
  round?: number;
  /** `svrg`: SGD along variance-reduced gradients. */
  optimizer: "sgd" | "svrg" | "adam";
  /** One λ throughout instead of a growing one and a cut. */
  fixedLambda?: number;
}

/** Single weights go by their posteriors. How many follows from the data and from what is thought of weights beforehand. */
export interface PosteriorRequest extends Request {
  method: PosteriorMethod;
  /** Of the second training run; the dense network is trained by SGD. */
  optimizer: "adam";
  /** Of turbo-vbi and vbi: variance of weights in use, in units of that of each layer's weights. Smaller keeps more. Default 2. */
  slab?: number;
  /** Of the others: factor on what noise costs. Smaller keeps more. Default 1. */
  strength?: number;
}

/** How small a recipe shall make a network: by counts, or by a budget that training itself shares out. */
export interface Size {
  keep?: KeepCounts;
  budget?: string;
}

export type CompressRequest = GroupRequest | PosteriorRequest;

export function isPosteriorRequest(request: CompressRequest): request is PosteriorRequest {
  return isPosteriorMethod(request.method);
}

/** Shares of the epochs in which groups are left alone, and in which they die out; the others polish. */
const GROUP_PHASES = { warmup: 0.17, select: 0.5 };

/** The network that is compressed, where a built-in one has to be trained first. */
export function denseRecipe({ optimizer, learningRate, ...request }: CompressRequest): Recipe {
  const own = isPosteriorMethod(request.method)
    ? {}
    : { optimizer: { kind: plain(optimizer) }, learningRate };
  return recipeOf(request, "dense", {
    ...own,
    schedule: { kind: "cosine", flat: GROUP_PHASES.warmup + GROUP_PHASES.select },
  });
}

/** The training in which groups die out. */
export function groupRecipe(request: GroupRequest, size: Size, temperature: number): Recipe {
  const { method, groups, exclude, round, fixedLambda, optimizer, learningRate } = request;
  return recipeOf(request, "sparse", {
    optimizer: { kind: plain(optimizer) },
    learningRate,
    temperature,
    schedule: { kind: "cosine", flat: GROUP_PHASES.warmup + GROUP_PHASES.select },
    sparsifier: {
      method,
      groups,
      exclude,
      ...size,
      round,
      ...(fixedLambda !== undefined && { mode: { kind: "fixed", lambda: fixedLambda } }),
      ...GROUP_PHASES,
      ...rampOf(request),
      varianceReduction: optimizer === "svrg",
    },
  });
}

/** Of the epochs with posteriors there are to be so many rounds of messages, but none is longer than three epochs. */
const ROUNDS = 9;

/** Posteriors start from trained weights, and the last epochs polish what they leave. */
export function posteriorRecipe(request: PosteriorRequest, model: string, temperature: number): Recipe {
  const { method, slab, strength, epochs, optimizer, learningRate } = request;
  const select = Math.min(0.75, (epochs - 1) / epochs);
  const roundEpochs = Math.min(3, Math.max(1, Math.floor((select * epochs) / ROUNDS)));
  return recipeOf({ ...request, model }, "sparse", {
    optimizer: { kind: optimizer },
    learningRate,
    temperature,
    schedule: { kind: "cosine", flat: select },
    posterior: { method, slab, strength, warmup: 0, select, roundEpochs },
  });
}

const plain = (optimizer: GroupRequest["optimizer"]) => (optimizer === "svrg" ? "sgd" : optimizer);

function recipeOf(request: Omit<Request, "learningRate">, name: "dense" | "sparse", fields: object): Recipe {
  const { model, data, validation = 0, inputScale, epochs, seed, batch, threads, device } = request;
  return readRecipe(
    { name, model, data, validation, inputScale, epochs, seed, batch, threads, device, ...fields },
    { name, threads },
    (path, reason) => {
      throw new Problem(`${path.join(".")}: ${reason}`);
    },
  );
}

/**
 * For the envelopes, selection ramps λ from nearly nothing to where the proximal step is about to become hard thresholding. With SGD that
 * is at αλ = 1; with Adam at αλ = h, the root mean square of a group's gradients, which is seldom above .01.
 */
export function rampOf({
  method,
  optimizer,
  learningRate,
}: Pick<GroupRequest, "method" | "optimizer" | "learningRate">): Partial<SparsifierRecipe> {
  if (methodOf(method).options.lambdaEnd !== undefined) return {};
  return optimizer === "adam"
    ? { lambdaStart: 1e-5 / learningRate, lambdaEnd: 0.01 / learningRate }
    : { lambdaStart: 0.004 / learningRate, lambdaEnd: 0.5 / learningRate };
}
