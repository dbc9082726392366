let seed: u32;

export function startUniform(value: u32): void {
  seed = value;
}

/** Uniform in [0, 1): mulberry32, as in src/random.ts. */
export function uniform(): f64 {
  seed += 0x6d2b79f5;
  let t = seed;
  t = (t ^ (t >>> 15)) * (t | 1);
  t ^= t + (t ^ (t >>> 7)) * (t | 61);
  return <f64>(t ^ (t >>> 14)) / 4294967296;
}
