import type { Value } from "../../engine/graph.ts";
import { add } from "../../engine/operators/index.ts";
import type { Direction } from "../../nn/sparsifier.ts";

/** What parameters move along in place of derivatives. One that is used in several places moves along the sum. */
export interface Directions {
  get(parameter: string): Direction | undefined;
  add(parameter: string, next: Direction): void;
  forget(parameter: string): void;
}

export function createDirections(): Directions {
  const known = new Map<string, Direction>();
  return {
    get: (parameter) => known.get(parameter),
    add: (parameter, next) => {
      const before = known.get(parameter);
      const direction = before
        ? {
            of: [...before.of, ...next.of],
            from: (g: readonly Value[]) =>
              add(before.from(g.slice(0, before.of.length)), next.from(g.slice(before.of.length))),
          }
        : next;
      known.set(parameter, direction);
    },
    forget: (parameter) => {
      known.delete(parameter);
    },
  };
}
