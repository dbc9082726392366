/**
 * Sum-product along one line of support bits, all in odds. A pass turns the odds x of a bit (messages and evidence
 * together) into the message (a + b·x)/(c + d·x) to its neighbour.
 */
export interface LinePass {
  /** Odds of the first bit before any evidence. */
  readonly start: number;
  readonly forward: Message;
  readonly backward: Message;
}

type Message = readonly [a: number, b: number, c: number, d: number];

/** Scratch of a pass over lines of at most `length` bits. */
export interface LineScratch {
  /** e^Δ of each bit. */
  readonly odds: Float64Array;
  /** Forward message into each bit. */
  readonly forward: Float64Array;
  /** Backward message into each bit. */
  readonly backward: Float64Array;
}

export function lineScratch(length: number): LineScratch {
  const make = () => new Float64Array(length);
  return { odds: make(), forward: make(), backward: make() };
}

/** Where a line lies in an array. */
export interface Line {
  readonly at: number;
  readonly stride: number;
  readonly length: number;
}

/** Fills the scratch with the messages of one line: exact in one pass each way. */
export function passLine(
  { start, forward: [a, b, c, d], backward: [e, f, g, h] }: LinePass,
  logOdds: Float64Array,
  { at, stride, length }: Line,
  { odds, forward, backward }: LineScratch,
): void {
  let into = start;
  for (let n = 0, i = at; n < length; n++, i += stride) {
    const r = Math.exp(logOdds[i]);
    odds[n] = r;
    forward[n] = into;
    const x = r * into;
    into = (a + b * x) / (c + d * x);
  }
  into = 1;
  for (let n = length - 1; n >= 0; n--) {
    backward[n] = into;
    const x = odds[n] * into;
    into = (e + f * x) / (g + h * x);
  }
}

/** Both messages into each bit as log-odds. */
export function writeLine({ forward, backward }: LineScratch, out: Float64Array, line: Line): void {
  const { at, stride, length } = line;
  for (let n = 0, i = at; n < length; n++, i += stride) out[i] = Math.log(forward[n] * backward[n]);
}

/** ln of the sum over all states of the line just passed, where the forward pass is that of a normalised chain. */
export function logPartitionOfLine({ odds, forward }: LineScratch, length: number): number {
  let sum = 0;
  for (let n = 0; n < length; n++) sum += Math.log((1 + odds[n] * forward[n]) / (1 + forward[n]));
  return sum;
}
