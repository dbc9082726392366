/**
 * sparsey.md P2 and P7: codes follow similarity; patterns completed from damaged cues, and what follows in sequences,
 * beside other memories.
 */
import { reportMarks } from "./support/marks.ts";
import { type Summary, writeResults } from "./support/results.ts";
import { CUES, MEMORIES, reconstruction } from "./support/sparsey/damaged-cues.ts";
import { measureAll, SEEDS } from "./support/sparsey/seeds.ts";
import { nextFrames, SEQUENCE_MEMORIES, SEQUENCE_TASKS } from "./support/sparsey/sequence-memories.ts";
import { similarityCurve } from "./support/sparsey/similarity-curve.ts";

const table =
  (names: readonly string[], options = {}) =>
  (seed: number) =>
    Object.fromEntries(
      names.map((name) => [
        name,
        Object.fromEntries(
          Object.keys(CUES).map((cue) => [
            cue,
            reconstruction(seed, name, cue as keyof typeof CUES, options),
          ]),
        ),
      ]),
    );

const figures = measureAll(SEEDS, {
  "P2 classic": (seed) => similarityCurve(seed, "classic", 300),
  "P2 graded": (seed) => similarityCurve(seed, "graded", 300),
  "P2 capacity": (seed) => similarityCurve(seed, "capacity", 300),
  "P2 control: uniform": (seed) => similarityCurve(seed, "uniform", 300),
  P7: table(Object.keys(MEMORIES)),
  "P7 control: other items stored": table(["robust", "nearest pattern"], { stored: false }),
  "next frame": (seed) =>
    Object.fromEntries(
      Object.entries(SEQUENCE_TASKS).map(([name, task]) => [
        name,
        Object.fromEntries(
          Object.keys(SEQUENCE_MEMORIES).map((memory) => [memory, nextFrames(seed, memory, task)]),
        ),
      ]),
    ),
  "next frame control: other sequences stored": (seed) =>
    Object.fromEntries(
      ["robust", "HTM"].map((memory) => [
        memory,
        nextFrames(seed, memory, SEQUENCE_TASKS["8 sequences"], { stored: false }),
      ]),
    ),
});
await writeResults("sparsey-baselines", "npm run protocol -- sparsey-baselines", { seeds: SEEDS, figures });

const means = (name: string, key: "measured" | "expected") =>
  (figures[name] as unknown as Record<string, Summary[]>)[key].map(({ mean }) => mean);
const rates = figures.P7 as unknown as Record<string, Record<string, Summary>>;
const damaged = Object.keys(CUES).filter(
  (cue) => cue !== "intact" && CUES[cue as keyof typeof CUES].items === 100,
);
reportMarks([
  ...["classic", "graded", "capacity"].flatMap((preset) => {
    const curve = means(`P2 ${preset}`, "measured");
    const expected = means(`P2 ${preset}`, "expected");
    const off = Math.max(...curve.map((x, i) => Math.abs(x - expected[i])));
    return [
      {
        claim: `${preset}: the curve is within 0.5 of the closed form (${off.toFixed(2)})`,
        passed: off <= 0.5,
      },
      {
        claim: `${preset}: from 2 to 12 shared features it rises by at least 15 (${(curve[12] - curve[2]).toFixed(1)})`,
        passed: curve[12] - curve[2] >= 15,
      },
    ];
  }),
  ...damaged.flatMap((cue) =>
    ["Willshaw", "Hopfield"].map((rival) => ({
      claim: `${cue}: robust ${rates.robust[cue].mean.toFixed(3)} > ${rival} ${rates[rival][cue].mean.toFixed(3)}`,
      passed: rates.robust[cue].mean > rates[rival][cue].mean,
    })),
  ),
]);
