import { count, table, times } from "./format.mjs";

/** Tables of docs/simulate.md: the name of each, the results it shows, and how. */
export const TABLES = {
  mpm: [
    "mpm",
    ({ rows }) => {
      const millions = (rate) => (rate === null ? "–" : (rate / 1e6).toFixed(2));
      return table(
        [
          "scene",
          "particles",
          "million particle steps a second, one thread",
          "the same in C++",
          "share of its speed",
          "furthest apart, box lengths",
          "two threads against one",
        ],
        rows.map((r) => [
          `${r.material}, ${r.dim}D`,
          count(r.particles),
          millions(r.filigree),
          millions(r.cpp),
          r.ratio?.toFixed(2) ?? "–",
          r.difference?.toExponential(0) ?? "–",
          times(r.gain),
        ]),
      );
    },
  ],
};
