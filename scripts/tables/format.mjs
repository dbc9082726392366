// What the tables of the docs are put together from.
export const count = (n) => Math.round(n).toLocaleString("en-US");

export const percent = ({ mean, sd }) => `${(100 * mean).toFixed(2)} ± ${(100 * sd).toFixed(2)}`;

export const times = (n) => `${n.toFixed(2)}×`;

export const columnsOf = (list, key) => [...new Set(list.map((row) => row[key]))];

export function table(heads, rows) {
  return [heads, heads.map(() => "---"), ...rows].map((cells) => `| ${cells.join(" | ")} |`).join("\n");
}

/** One row for each of `down`, one column for each of `across`. */
export function grid(rows, [downKey, downName], [acrossKey, acrossName], cell) {
  const across = columnsOf(rows, acrossKey);
  const find = (d, a) => rows.find((r) => r[downKey] === d && r[acrossKey] === a);
  return table(
    [downName, ...across.map(acrossName)],
    columnsOf(rows, downKey).map((d) => [
      typeof d === "number" ? count(d) : d,
      ...across.map((a) => (find(d, a) ? cell(find(d, a)) : "–")),
    ]),
  );
}

export const spread = ({ mean, sd }) => `${mean.toFixed(2)} ± ${sd.toFixed(2)}`;

export const exponential = (x) => x.toExponential(1);

export const mean = (values) => values.reduce((a, b) => a + b, 0) / values.length;
