/** Learning rates that any method may end with. */
const RATES = [3e-4, 1e-3, 3e-3, 1e-2, 3e-2, 1e-1];
const FIRST = RATES.slice(2, 5);

export interface Tried {
  learningRate: number;
  cost: number;
}

/**
 * The rate at which each method costs least: first three rates for all, then the next one on either side for as long as a
 * method is best at an end of what it was tried at. `run` gives the costs of several runs; one that diverged costs Infinity.
 */
export async function bestRates<M extends string>(
  methods: readonly M[],
  run: (wanted: readonly { method: M; learningRate: number }[]) => Promise<number[]>,
): Promise<{ method: M; learningRate: number; tried: Tried[] }[]> {
  const rows = methods.map((method) => ({ method, tried: [] as Tried[] }));
  const best = ({ tried }: { tried: readonly Tried[] }) => tried.reduce((a, b) => (b.cost < a.cost ? b : a));
  let wanted = rows.flatMap((row) => FIRST.map((learningRate) => ({ row, learningRate })));
  while (wanted.length > 0) {
    const costs = await run(wanted.map(({ row, learningRate }) => ({ method: row.method, learningRate })));
    wanted.forEach(({ row, learningRate }, i) => {
      row.tried.push({ learningRate, cost: costs[i] });
      row.tried.sort((a, b) => a.learningRate - b.learningRate);
    });
    wanted = rows.flatMap((row) => {
      const at = RATES.indexOf(best(row).learningRate);
      return [RATES[at - 1], RATES[at + 1]]
        .filter((rate) => rate !== undefined && !row.tried.some((t) => t.learningRate === rate))
        .map((learningRate) => ({ row, learningRate }));
    });
  }
  return rows.map((row) => ({ ...row, learningRate: best(row).learningRate }));
}
