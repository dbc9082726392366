import { Problem } from "../problem.ts";
import type { StepperConfig } from "./config.ts";
import type { Window } from "./features.ts";

/** Throws a `Problem` unless the frames hold the same particles, at finite places, and say of what type they are where it matters. */
export function checkFrames(
  name: string,
  frames: Window,
  particleTypes: ArrayLike<number> | undefined,
  { dim, types }: Pick<StepperConfig, "dim" | "types">,
): void {
  if (frames.length === 0) return;
  const [{ length }] = frames;
  if (length === 0 || length % dim !== 0)
    throw new Problem(`${name}: a frame has ${length} numbers; give ${dim} for each particle`);
  for (const [t, frame] of frames.entries()) {
    if (frame.length !== length)
      throw new Problem(
        `${name}: frame ${t} has ${frame.length} numbers, frame 0 has ${length}; give the same particles in all`,
      );
    const lost = frame.findIndex((x) => !Number.isFinite(x));
    if (lost >= 0)
      throw new Problem(
        `${name}: frame ${t}: particle ${Math.floor(lost / dim)} is at ${frame[lost]} on axis ${"xyz"[lost % dim]}`,
      );
  }
  if (types > 0) checkTypes(name, particleTypes, length / dim, types);
}

function checkTypes(
  name: string,
  particleTypes: ArrayLike<number> | undefined,
  particles: number,
  known: number,
): void {
  if (particleTypes?.length !== particles)
    throw new Problem(
      `${name}: ${particleTypes?.length ?? 0} particles have a type; a network that tells ${known} apart needs one of all ${particles}`,
    );
  const odd = Array.from(particleTypes).findIndex(
    (type) => !(Number.isInteger(type) && type >= 0 && type < known),
  );
  if (odd >= 0)
    throw new Problem(
      `${name}: particle ${odd} is of type ${particleTypes[odd]}; the network knows 0 to ${known - 1}`,
    );
}
