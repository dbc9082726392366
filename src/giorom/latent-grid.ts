import type { StepperConfig } from "./config.ts";

/** Nodes of a regular grid over a box, walls included; flat index with the last axis fastest. */
export interface LatentGrid {
  readonly size: number;
  readonly bounds: readonly (readonly [number, number])[];
  /** [size^dim, dim]. */
  readonly positions: Float64Array;
  /** Largest distance of neighbouring nodes along an axis. */
  readonly spacing: number;
}

export function latentGrid(size: number, bounds: readonly (readonly [number, number])[]): LatentGrid {
  const dim = bounds.length;
  const positions = new Float64Array(size ** dim * dim);
  for (let node = 0; node < size ** dim; node++)
    for (let k = dim - 1, rest = node; k >= 0; k--) {
      const [low, high] = bounds[k];
      positions[node * dim + k] = low + ((high - low) * (rest % size)) / (size - 1);
      rest = Math.floor(rest / size);
    }
  const spacing = Math.max(...bounds.map(([low, high]) => (high - low) / (size - 1)));
  return { size, bounds, positions, spacing };
}

/** The grid of a network between walls; over the unit square where v1's map lays 3D particles on a plane. None without one. */
export function gridOf(
  { dim, latent }: Pick<StepperConfig, "dim" | "latent">,
  bounds: LatentGrid["bounds"],
): LatentGrid | undefined {
  if (!latent) return undefined;
  const unit = Array.from({ length: latent.dim }, () => [0, 1] as const);
  return latentGrid(latent.size, latent.dim < dim ? unit : bounds);
}

/** The least radius around nodes that leaves no point of the box uncovered: half a cell's diagonal. */
export function coveringRadius({ spacing, bounds }: LatentGrid): number {
  return (Math.sqrt(bounds.length) / 2) * spacing;
}

/** The radius that `lite` takes: a quarter more than the spacing (GIOROM spec 3.6). */
export function defaultLatentRadius({ spacing }: LatentGrid): number {
  return 1.25 * spacing;
}
