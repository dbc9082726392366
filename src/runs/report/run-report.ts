import { formatBytes, formatCount, formatMany, formatSeconds, formatShare, significant } from "../format.ts";
import { formatRecipe } from "../recipe.ts";
import type { MetricsLine, RunFootprint, RunRecord, RunResult } from "../run-result.ts";
import type { Html } from "./html.ts";
import { html } from "./html.ts";
import type { Section } from "./page.ts";
import { figures, highlights, htmlTable, page } from "./page.ts";
import { linePlot } from "./plot-svg.ts";

/** The page of a run: its outcome, its curves, its layers, its epochs and its recipe. */
export function runReport(run: RunRecord): string {
  const { recipe, lines, result } = run;
  const subtitle = `${recipe.model} on ${recipe.data}, ${
    result
      ? `${formatMany(result.epochs, "epoch")} in ${formatSeconds(result.seconds)}${result.bestEpoch === undefined ? "" : `, weights of epoch ${result.bestEpoch}`}`
      : `${lines.length} of ${recipe.epochs} epochs so far`
  }`;
  return page({ title: recipe.name, subtitle, sections: runSections(run) });
}

export function runSections({ recipe, lines, result }: RunRecord): Section[] {
  const sections: Section[] = [];
  const last = lines.at(result?.bestEpoch === undefined ? -1 : result.bestEpoch - 1);
  if (last) {
    sections.push(
      { heading: "Outcome", content: outcome(last) },
      { heading: "Curves", content: figures(curves(lines)) },
    );
    if (result?.footprint) sections.push(memory(result.footprint));
    if (result?.sparsity?.layers.length)
      sections.push(layers(result.sparsity), ...undecided(result.sparsity));
    sections.push({ heading: "Epochs", content: epochs(lines) });
  }
  sections.push({
    heading: "Recipe",
    note: "Complete: with this file and the same versions the run can be repeated number by number.",
    content: html`<pre>${formatRecipe(recipe)}</pre>`,
  });
  return sections;
}

const isShare = (metric: string) => /accuracy/i.test(metric);
const show = (metric: string, value: number) => (isShare(metric) ? formatShare(value) : significant(value));

/** Names as people read them: testLoss → test loss. */
const words = (metric: string) =>
  metric === "accuracy" ? "test accuracy" : metric.replace(/[A-Z]/g, (c) => ` ${c.toLowerCase()}`);

/** The metrics that stand for the whole network; the others, such as `groups/conv1`, are of one layer. */
const overall = (line: MetricsLine) => Object.keys(line.metrics).filter((m) => !m.includes("/"));

function outcome(last: MetricsLine): Html {
  const metrics = overall(last).map((m) => ({ label: words(m), value: show(m, last.metrics[m]) }));
  return highlights([
    ...metrics.filter(({ label }) => label === "test accuracy"),
    { label: "train loss", value: significant(last.loss) },
    ...metrics.filter(({ label }) => label !== "test accuracy"),
  ]);
}

function memory({ trainable, parameters, effectiveSteps, visits, ...bytes }: RunFootprint): Section {
  const { weights, gradients, optimizer, peak } = bytes;
  return {
    heading: "What training held between steps",
    content: highlights([
      { label: `of ${formatCount(parameters)} numbers trained`, value: formatCount(trainable) },
      { label: "effective steps", value: significant(effectiveSteps) },
      ...(visits
        ? [
            { label: "rounds", value: significant(visits.rounds) },
            { label: `steps a pair of vectors, ${visits.weight}`, value: significant(visits.stepsPerPair) },
          ]
        : []),
      { label: "weights", value: formatBytes(weights) },
      { label: "gradients", value: formatBytes(gradients) },
      { label: "optimiser", value: formatBytes(optimizer) },
      { label: "process, at most", value: formatBytes(peak) },
    ]),
  };
}

function curves(lines: readonly MetricsLine[]): { title: string; svg: Html }[] {
  const line = (label: string, value: (l: MetricsLine) => number) => ({
    label,
    points: lines.map((l) => ({ x: l.epoch + 1, y: value(l) })),
  });
  const metric = (name: string) => line(words(name), (l) => l.metrics[name] ?? Number.NaN);
  const names = overall(lines[0]);
  const losses = [line("train loss", (l) => l.loss), ...names.filter((n) => /loss/i.test(n)).map(metric)];
  const shares = names.filter(isShare).map(metric);
  const x = "epoch";
  const plots = [
    { title: "Loss", svg: linePlot({ lines: losses, x, logarithmic: losses.every(positive) }) },
    ...(shares.length ? [{ title: "Accuracy", svg: linePlot({ lines: shares, x, percent: true }) }] : []),
  ];
  const kinds = new Set(
    lines.flatMap((l) => Object.keys(l.metrics)).flatMap((m) => /^(.+?)\//.exec(m)?.[1] ?? []),
  );
  plots.push(
    ...layerCurves(
      lines,
      [...kinds].filter((kind) => !IN_WORDS.has(kind)),
    ),
  );
  plots.push({ title: "Learning rate", svg: linePlot({ lines: [line("", (l) => l.learningRate)], x }) });
  return plots;
}

/** Metrics of single layers, by what stands before their slash. */
const PER_LAYER: Record<string, string> = {
  groups: "Groups left",
  lambda: "Regularisation λ",
  gap: "Distance from stationary (relative Fenchel–Young gap)",
  between: "Undecided groups",
};

/** Metrics of layers that the table of undecided groups says better than a curve. */
const IN_WORDS = new Set(["smallest", "threshold"]);

/** One plot for each of these kinds that the run has, with a line for each layer. */
export function layerCurves(
  lines: readonly MetricsLine[],
  kinds: readonly string[],
): { title: string; svg: Html }[] {
  const names = [...new Set(lines.flatMap((l) => Object.keys(l.metrics)))];
  return kinds.flatMap((kind) => {
    const ofKind = names.filter((name) => name.startsWith(`${kind}/`));
    const curves = ofKind.map((name) => ({
      label: name.slice(kind.length + 1),
      points: lines.map((l) => ({ x: l.epoch + 1, y: l.metrics[name] ?? Number.NaN })),
    }));
    const logarithmic = kind !== "between";
    return curves.length
      ? [
          {
            title: `${PER_LAYER[kind] ?? words(kind)} by layer`,
            svg: linePlot({ lines: curves, x: "epoch", logarithmic }),
          },
        ]
      : [];
  });
}

const positive = ({ points }: { points: readonly { y: number }[] }) => points.every(({ y }) => y > 0);

function layers({ layers: outcomes, commit }: NonNullable<RunResult["sparsity"]>): Section {
  const forced = outcomes.some((l) => l.forced > 0);
  const cut = commit
    ? Object.entries(commit.before)
        .map(([m, before]) => `${words(m)} ${show(m, before)} → ${show(m, commit.after[m])}`)
        .join(", ")
    : "";
  return {
    heading: "Layers",
    note: outcomes.some((l) => l.natural - l.forced > l.keep)
      ? "λ was held fixed and nothing was cut by hand: layers hold what training left."
      : forced
        ? `Where training left more than was asked for, the smallest groups were cut by hand at the end of selection: ${cut}.`
        : "Every layer reached its number by training alone; nothing was cut by hand.",
    content: htmlTable({
      columns: [
        { heading: "layer" },
        ...["groups", "asked for", "left by training", "cut by hand", "frozen after epoch", "λ"].map(
          (heading) => ({
            heading,
            align: "right" as const,
          }),
        ),
      ],
      rows: outcomes.map((l) => [
        l.name,
        l.groups,
        l.keep,
        l.natural,
        l.forced,
        l.epoch,
        significant(l.lambda),
      ]),
    }),
  };
}

/** Why training did not decide on some groups: their norms between those at which a proximal step would have. */
function undecided({ layers: outcomes }: NonNullable<RunResult["sparsity"]>): Section[] {
  const rows = outcomes.flatMap((l) =>
    l.undecided.map((u) => [
      l.name,
      u.group,
      significant(u.norm),
      significant(u.zero),
      u.whole === null ? "–" : significant(u.whole),
    ]),
  );
  if (rows.length === 0) return [];
  const number = (heading: string) => ({ heading, align: "right" as const });
  return [
    {
      heading: "Why these groups were still alive",
      note: "The last proximal step of a layer makes groups zero up to one norm, and lets them be from another norm on. Those between were still shrinking when the layer was frozen; the smallest ten of each layer.",
      content: htmlTable({
        columns: [
          { heading: "layer" },
          number("group"),
          number("its norm"),
          number("zero up to"),
          number("let be from"),
        ],
        rows,
      }),
    },
  ];
}

function epochs(lines: readonly MetricsLine[]): Html {
  const names = overall(lines[0]);
  const number = (heading: string) => ({ heading, align: "right" as const });
  return htmlTable({
    columns: ["epoch", "step", "loss", ...names.map(words), "learning rate", "seconds"].map(number),
    rows: lines.map((l) => [
      l.epoch + 1,
      l.step,
      significant(l.loss),
      ...names.map((n) => show(n, l.metrics[n])),
      significant(l.learningRate),
      l.seconds.toFixed(1),
    ]),
  });
}
