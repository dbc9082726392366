/** Ranks from 1, equal values share their mean rank. */
function ranks(values: readonly number[]): number[] {
  const order = Array.from(values.keys()).sort((a, b) => values[a] - values[b]);
  const out = new Array<number>(values.length);
  for (let i = 0; i < order.length; ) {
    let end = i;
    while (end < order.length && values[order[end]] === values[order[i]]) end++;
    for (let j = i; j < end; j++) out[order[j]] = (i + end + 1) / 2;
    i = end;
  }
  return out;
}

/** Spearman's rank correlation; 0 where one side is constant. */
export function spearman(x: readonly number[], y: readonly number[]): number {
  const [a, b] = [ranks(x), ranks(y)];
  const mid = (x.length + 1) / 2;
  let [xy, xx, yy] = [0, 0, 0];
  for (let i = 0; i < a.length; i++) {
    xy += (a[i] - mid) * (b[i] - mid);
    xx += (a[i] - mid) ** 2;
    yy += (b[i] - mid) ** 2;
  }
  return xx * yy === 0 ? 0 : xy / Math.sqrt(xx * yy);
}

/** Kendall's τ_b; 0 where one side is constant. */
export function kendall(x: readonly number[], y: readonly number[]): number {
  let [sum, nx, ny] = [0, 0, 0];
  for (let i = 0; i < x.length; i++)
    for (let j = 0; j < i; j++) {
      const [dx, dy] = [Math.sign(x[i] - x[j]), Math.sign(y[i] - y[j])];
      sum += dx * dy;
      nx += dx * dx;
      ny += dy * dy;
    }
  return nx * ny === 0 ? 0 : sum / Math.sqrt(nx * ny);
}

/** Adjusted Rand index of two partitions (Hubert & Arabie 1985). */
export function adjustedRand(a: readonly number[], b: readonly number[]): number {
  const pairs = (n: number) => (n * (n - 1)) / 2;
  const count = (keys: readonly (number | string)[]) => {
    const counts = new Map<number | string, number>();
    for (const key of keys) counts.set(key, (counts.get(key) ?? 0) + 1);
    return [...counts.values()].reduce((sum, n) => sum + pairs(n), 0);
  };
  const both = count(a.map((x, i) => `${x},${b[i]}`));
  const [inA, inB] = [count(a), count(b)];
  const expected = (inA * inB) / pairs(a.length);
  const most = (inA + inB) / 2;
  return most === expected ? 0 : (both - expected) / (most - expected);
}

/** Chance that a random positive scores above a random negative; ties count half. */
export function areaUnderCurve(positives: readonly number[], negatives: readonly number[]): number {
  let sum = 0;
  for (const p of positives) for (const n of negatives) sum += p > n ? 1 : p === n ? 0.5 : 0;
  return sum / (positives.length * negatives.length);
}

export const average = (values: readonly number[]): number =>
  values.reduce((a, b) => a + b, 0) / values.length;
