import { Problem } from "../../../problem.ts";
import type { LineShape } from "../../lines.ts";
import { chainPrior, stationaryChain } from "./chain.ts";
import { gatePrior } from "./gate.ts";
import { isingField, isingPrior, productOfChains } from "./grid.ts";
import { blockLabels, groupPrior } from "./group.ts";
import { iidPrior } from "./iid.ts";
import { probability } from "./parameters.ts";
import type { SupportPrior } from "./prior.ts";

/** A chain as people give it: how many bits are on, and how long their runs are. `meanRun: 1/(1 − lambda)` is independence. */
export interface ChainSpec {
  lambda: number;
  /** Mean length of runs of the prior; above 1. */
  meanRun: number;
}

/** A support prior by name, as recipes write it. A line is all that enters one neuron or filter. */
export type PriorSpec =
  /** Independent bits. */
  | { kind: "iid"; lambda: number }
  /** A Markov chain along every line. */
  | ({ kind: "chain" } & ChainSpec)
  /** Blocks of `size` neighbours that are on or off together. */
  | { kind: "group"; lambda: number; size: number }
  /** A gate for every line, and a chain in those that are open. Gates are independent unless `gateRun` is given. */
  | ({ kind: "gate"; gate: number; gateRun?: number } & ChainSpec)
  /** A chain along rows times one along columns. */
  | { kind: "product"; row: ChainSpec; column: ChainSpec }
  /** Neighbours in rows and columns alike; at most .3466 each where both are in use. */
  | { kind: "ising"; density: number; down: number; along: number };

/** Throws a `Problem` that names what is out of range. */
export function createPrior(choice: PriorSpec, shape: LineShape): SupportPrior {
  switch (choice?.kind) {
    case "iid":
      return iidPrior(choice.lambda);
    case "chain":
      return chainPrior(chainOf(choice), shape);
    case "group":
      return groupPrior(choice.lambda, blockLabels(shape.tiles * shape.rows, shape.columns, choice.size));
    case "gate": {
      const { gate, gateRun = 1 / (1 - gate) } = choice;
      return gatePrior(chainOf({ lambda: gate, meanRun: gateRun }), chainOf(choice), shape);
    }
    case "product":
      return productOfChains(chainOf(choice.row), chainOf(choice.column), shape);
    case "ising": {
      const { density, down, along } = choice;
      return isingPrior({ down, along, field: isingField(density, down, along) }, shape);
    }
    default:
      throw new Problem(
        `turbo-vbi: there is no prior of kind "${(choice as PriorSpec | undefined)?.kind}"; take iid, chain, group, gate, product or ising`,
      );
  }
}

/** The share of bits that is on before any evidence. */
export function densityOf(choice: PriorSpec): number {
  switch (choice.kind) {
    case "gate":
      return choice.gate * choice.lambda;
    case "product":
      return choice.row.lambda * choice.column.lambda;
    case "ising":
      return choice.density;
    default:
      return choice.lambda;
  }
}

function chainOf({ lambda, meanRun }: ChainSpec) {
  probability("lambda", lambda);
  if (!(meanRun > 1)) throw new Problem(`turbo-vbi: meanRun must be above 1, found ${meanRun}`);
  const chain = stationaryChain(lambda, 1 / meanRun);
  if (chain.p01 >= 1)
    throw new Problem(`turbo-vbi: with a share of ${lambda} runs are longer than ${meanRun} on average`);
  return chain;
}
