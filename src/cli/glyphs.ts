const BARS = " ▁▂▃▄▅▆▇█";
/** Bits of a braille character's dots: two across, four down. */
const DOTS = [0x01, 0x08, 0x02, 0x10, 0x04, 0x20, 0x40, 0x80];
/** Thresholds of a 4 × 4 ordered dither, so that grey becomes so many dots. */
const DITHER = [0, 8, 2, 10, 12, 4, 14, 6, 3, 11, 1, 9, 15, 7, 13, 5].map((v) => (v + 0.5) / 16);

/** A matrix of shares from 0 to 1, row-major, as lines of braille: a dot for each, darker ones more often. */
export function braille(shares: readonly number[], rows: number, columns: number): string[] {
  const dot = (r: number, c: number) =>
    r < rows && c < columns && shares[r * columns + c] > DITHER[(r % 4) * 4 + (c % 4)];
  return Array.from({ length: Math.ceil(rows / 4) }, (_, y) =>
    Array.from({ length: Math.ceil(columns / 2) }, (_, x) => {
      const bits = DOTS.reduce(
        (sum, bit, i) => (dot(4 * y + (i >> 1), 2 * x + (i & 1)) ? sum + bit : sum),
        0,
      );
      return String.fromCodePoint(0x2800 + bits);
    }).join(""),
  );
}

/** Values from 0 to `most` as bars, so many lines high; what is above 0 is never quite invisible. */
export function bars(values: readonly number[], most: number, lines = 1): string[] {
  const heights = values.map((v) =>
    v > 0 && most > 0 ? Math.max(1, Math.round((8 * lines * Math.min(v, most)) / most)) : 0,
  );
  return Array.from({ length: lines }, (_, line) =>
    heights.map((h) => BARS[Math.max(0, Math.min(8, h - 8 * (lines - 1 - line)))]).join(""),
  );
}

/** Values over time in at most `width` characters, each the mean of what falls on it. */
export function sparkline(values: readonly number[], width: number, most = Math.max(...values)): string {
  const count = Math.min(width, values.length);
  const means = Array.from({ length: count }, (_, i) => {
    const part = values.slice(
      Math.floor((i * values.length) / count),
      Math.floor(((i + 1) * values.length) / count),
    );
    return part.reduce((a, b) => a + b, 0) / part.length;
  });
  return bars(means, most)[0];
}
