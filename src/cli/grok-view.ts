import type { Snapshot } from "../sparsity/tickets/snapshot.ts";
import { bars, braille, sparkline } from "./glyphs.ts";

const WIDTH = 60;

const percent = (share: number) => `${Math.round(100 * share)} %`;

/** What there is to see of one run, as lines: its mask, its spectrum, and how they came there. */
export function viewLines(title: string, history: readonly Snapshot[], height: number): string[] {
  const now = history[history.length - 1];
  const { mask, spectrum, neurons, neuronsAlive, waveNames } = now;
  const gauge = (share: number) => "█".repeat(Math.round(10 * share)).padEnd(10, "░");
  const over = (name: string, values: readonly number[], most: number) =>
    `${name.padEnd(16)} ${sparkline(values, WIDTH, most)}`;
  const rest = [
    ...(spectrum ? spectrumLines(spectrum, waveNames) : []),
    "",
    over(
      "test accuracy",
      history.map((s) => s.test),
      1,
    ),
    over(
      "living neurons",
      history.map((s) => s.neuronsAlive),
      neurons,
    ),
    ...(spectrum
      ? [
          over(
            "Fourier entropy",
            history.map((s) => s.fourierEntropy ?? 0),
            Math.log(spectrum.length),
          ),
        ]
      : []),
  ];
  const head = `${title}, step ${now.step}   train ${gauge(now.train)} ${percent(now.train)}   test ${gauge(now.test)} ${percent(now.test)}`;
  const picture = [
    `mask: a dot is a living weight, a row one of ${neurons} neurons, ${neuronsAlive} of them alive`,
    ...braille(mask.shares, mask.rows, mask.columns),
  ];
  // Where the terminal is too low for the mask, what fits is drawn.
  return [head, ...(rest.length + picture.length + 1 <= height ? picture : []), ...rest];
}

function spectrumLines(spectrum: readonly number[], names?: readonly string[]): string[] {
  const strongest = spectrum
    .map((share, i) => ({ f: names?.[i] ?? i + 1, share }))
    .sort((a, b) => b.share - a.share)
    .slice(0, 4);
  return [
    "",
    `power at ${names ? `representations ${names.join(" ")}` : `frequencies 1 to ${spectrum.length}`}; most at ${strongest.map(({ f, share }) => `${f} (${percent(share)})`).join(", ")}`,
    ...bars(spectrum, strongest[0].share, 2),
  ];
}

/** The same in one line. */
export function viewLine(
  title: string,
  { step, train, test, neurons, neuronsAlive, spectrum }: Snapshot,
): string {
  const parts = [
    `${title}, step ${String(step).padStart(5)}: train ${percent(train).padStart(5)}`,
    `test ${percent(test).padStart(5)}`,
    `${neuronsAlive} of ${neurons} neurons alive`,
  ];
  if (spectrum) parts.push(`spectrum ${bars(spectrum, Math.max(...spectrum))[0]}`);
  return parts.join(", ");
}
