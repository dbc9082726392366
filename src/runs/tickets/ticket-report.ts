import type { GrokTimes } from "../../sparsity/tickets/detector.ts";
import type { RunOutcome } from "../../sparsity/tickets/experiment.ts";
import { RUN_GROUPS, runDefinitions } from "../../sparsity/tickets/run-definitions.ts";
import type { ExperimentSettings } from "../../sparsity/tickets/settings.ts";
import { wavesOfTask } from "../../sparsity/tickets/settings.ts";
import type { TokenWaves } from "../../sparsity/tickets/token-waves.ts";
import type { TracePoint, Waves } from "../../sparsity/tickets/trace.ts";
import { formatMany, significant } from "../format.ts";
import { html } from "../report/html.ts";
import type { Section } from "../report/page.ts";
import { figures, highlights, htmlTable, page } from "../report/page.ts";
import { linePlot } from "../report/plot-svg.ts";
import { describeTask } from "./describe-task.ts";
import type { MaskAnalysis } from "./mask-analysis.node.ts";
import { accuracyPlot, heatMap, spectrumPlot, timeBars, tracePlot } from "./ticket-plots.ts";
import type { RunSummary, TicketSummary } from "./ticket-summary.ts";
import { meanOf } from "./ticket-summary.ts";
import { traceSlider } from "./trace-slider.ts";

const GROUP_TITLES: Record<(typeof RUN_GROUPS)[number], string> = {
  tickets: "Tickets by the share that is pruned",
  norm: "Dense networks at the ticket's norm",
  moments: "Tickets taken earlier in training",
  rewinding: "The ticket's mask with other weights, or shuffled",
  initialisation: "Masks found without training",
  search: "Masks found by other searches",
  "no decay": "Without weight decay",
};

/** The page of an experiment: verdicts, curves with every control, times, what happened to mask and spectrum, settings. */
export function ticketReport(
  settings: ExperimentSettings,
  outcomes: readonly RunOutcome[],
  summary: TicketSummary,
  analysis: MaskAnalysis,
): string {
  const seeds = [...new Set(outcomes.map((o) => o.seed))].sort((a, b) => a - b);
  const first = outcomes.filter((o) => o.seed === seeds[0]);
  return page({
    title: "Grokking tickets",
    subtitle: `${describeTask(settings)}; ${formatMany(seeds.length, "seed")}`,
    sections: [
      { heading: "Outcome", content: outcome(settings, summary) },
      verdictSection(summary),
      {
        heading: "Test accuracy over training",
        note: `Seed ${seeds[0]}; steps on a logarithmic axis. Dashed: the base network's training accuracy. Every figure repeats the base and the ticket.`,
        content: figures(curveFigures(settings, first)),
      },
      {
        heading: "How much later than memory",
        note: "τ is the generalisation time over the memorisation time, mean over the seeds in which the network generalised for good; the line is one standard deviation to each side.",
        content: html`<figure>${timeBars(summary.runs)}</figure>`,
      },
      {
        heading: "Times",
        note: "Steps; mean ± s.d. over the seeds in which it happened.",
        content: timesTable(summary.runs),
      },
      ...traceSections(
        settings,
        first.find((o) => o.name === "base"),
      ),
      maskSection(analysis, seeds[0]),
      { heading: "Settings", content: html`<pre>${JSON.stringify(settings, undefined, 1)}</pre>` },
    ],
  });
}

function outcome({ ratio }: ExperimentSettings, { runs, verdicts }: TicketSummary) {
  const mean = (name: string) => {
    const time = meanOf(runs.find((r) => r.name === name)?.generalised ?? []);
    return time ? `${Math.round(time.mean)} steps` : "never";
  };
  return highlights([
    { label: "base network generalises after", value: mean("base") },
    { label: "its ticket after", value: mean(`ticket-${ratio}`) },
    {
      label: "verdicts that hold in every seed",
      value: `${verdicts.filter((v) => v.holds === v.of).length} of ${verdicts.length}`,
    },
  ]);
}

function verdictSection({ verdicts }: TicketSummary): Section {
  return {
    heading: "Verdicts",
    content: htmlTable({
      columns: [
        { heading: "claim" },
        { heading: "seeds", align: "right" },
        { heading: "figures (steps until it generalises for good)" },
      ],
      rows: verdicts.map(({ says, holds, of, because }) => [
        says,
        `${holds === of ? "✓" : "✗"}\u00a0${holds}\u00a0of\u00a0${of}`,
        because.map((line) => html`<div>${line}</div>`),
      ]),
    }),
  };
}

function curveFigures(settings: ExperimentSettings, first: readonly RunOutcome[]) {
  const byName = new Map(first.map((o) => [o.name, o]));
  const definitions = runDefinitions(settings);
  const ticket = `ticket-${settings.ratio}`;
  const reference = [
    { name: "base", label: "base" },
    { name: ticket, label: "ticket" },
  ];
  const curvesOf = (runs: readonly { name: string; label: string }[]) =>
    runs.flatMap(({ name, label }) => (byName.has(name) ? [{ label, outcome: byName.get(name)! }] : []));
  return RUN_GROUPS.flatMap((group) => {
    const own = [...definitions].filter(([name, d]) => d.group === group && name !== ticket);
    const curves = curvesOf(own.map(([name, { label }]) => ({ name, label })));
    if (curves.length === 0) return [];
    return [{ title: GROUP_TITLES[group], svg: accuracyPlot([...curvesOf(reference), ...curves]) }];
  });
}

function timesTable(runs: readonly RunSummary[]) {
  const spread = (values: readonly (number | null)[], digits = 0) => {
    const m = meanOf(values);
    if (!m) return "never";
    const text =
      values.length > 1 ? `${m.mean.toFixed(digits)} ± ${m.sd.toFixed(digits)}` : m.mean.toFixed(digits);
    return m.count < values.length ? `${text} (${m.count} of ${values.length})` : text;
  };
  return htmlTable({
    columns: [
      { heading: "run" },
      ...["memorised", "generalised for good", "τ", "best test accuracy, %", "weights trained"].map(
        (heading) => ({
          heading,
          align: "right" as const,
        }),
      ),
    ],
    rows: runs.map((r) => [
      r.label,
      spread(r.memorised),
      spread(r.generalised),
      spread(r.tau, 1),
      spread(r.bestTest.map((v) => 100 * v)),
      spread(r.parameters),
    ]),
  });
}

function traceSections(settings: ExperimentSettings, base: RunOutcome | undefined): Section[] {
  const trace = base?.trace;
  if (!trace || trace.length < 2) return [];
  const waves = wavesOfTask(settings);
  const last = trace[trace.length - 1];
  const order = last.neurons.map((_, i) => i).sort((a, b) => last.neurons[b] - last.neurons[a]);
  const over = (label: string, value: (point: TracePoint) => number) => ({
    label,
    points: trace.map((q) => ({ x: q.step, y: value(q) })),
  });
  return [
    {
      heading: "The mask and the spectrum while the base network trains",
      note: `Its input side, weights from tokens to neurons, seen through the magnitude mask of each moment. ${whenOf(base.times)}`,
      content: [
        traceSlider(trace, waves),
        figures([
          {
            title: "Living share of each neuron's input weights",
            svg: heatMap(trace, (q) => q.neurons, { label: "neuron, by its share at the end", order }),
          },
          {
            title: "Jaccard distance of the mask from the last one",
            svg: tracePlot(trace, (q) => q.jaccard),
          },
          {
            title: "Living share of each layer",
            svg: linePlot({
              lines: Object.keys(last.density).map((layer) => over(layer, (q) => q.density[layer])),
              x: "step",
              percent: true,
            }),
          },
          {
            title: "Norms of all weights, over those at initialisation",
            svg: linePlot({
              lines: (["l1", "l2"] as const).map((norm) =>
                over(norm.toUpperCase(), (q) => q[norm] / trace[0][norm]),
              ),
              x: "step",
            }),
          },
          ...(waves ? waveFigures(trace.filter(hasWaves), waves) : []),
        ]),
      ],
    },
  ];
}

function whenOf({ memorised, generalised, transition }: GrokTimes): string {
  const memory = memorised === undefined ? "It never memorised" : `It memorised at step ${memorised}`;
  return transition
    ? `${memory}; from step ${transition.from} on its test accuracy rose, and at ${generalised} it had generalised.`
    : `${memory} and never generalised.`;
}

type WavePoint = TracePoint & Waves;
const hasWaves = (point: TracePoint): point is WavePoint => point.spectrum !== undefined;

function waveFigures(trace: readonly WavePoint[], { kind, names }: TokenWaves) {
  if (trace.length === 0) return [];
  const [first, last] = [trace[0], trace[trace.length - 1]];
  const most = Math.max(...last.spectrum, ...first.spectrum);
  return [
    {
      title: `Power at each ${kind}`,
      svg: heatMap(trace, (q) => q.spectrum, { label: kind, names }),
    },
    { title: "Fourier entropy, nats", svg: tracePlot(trace, (q) => q.fourierEntropy) },
    { title: "Effective rank", svg: tracePlot(trace, (q) => q.effectiveRank) },
    { title: "Spectrum at initialisation", svg: spectrumPlot(first.spectrum, most, { kind, names }) },
    { title: "Spectrum at the end", svg: spectrumPlot(last.spectrum, most, { kind, names }) },
  ];
}

function maskSection({ masks, betweenSeeds, circularity }: MaskAnalysis, seed: number): Section {
  const layers = Object.keys(masks[0].density);
  const waves = masks[0].fourierEntropy !== undefined;
  const number = (heading: string) => ({ heading, align: "right" as const });
  const notes = [
    `Seed ${seed}.`,
    waves &&
      "Fourier entropy is that of the initial weights seen through the mask: the lower, the more the mask alone picks waves.",
    `Degree to Ramanujan gap: the layer before the neurons as a bipartite graph.`,
    betweenSeeds &&
      `Tickets of two seeds are ${betweenSeeds.found.toFixed(3)} apart (Jaccard, mean); independent masks of their density ${betweenSeeds.independent.toFixed(3)}.`,
    circularity &&
      `Circularity of the embedding: ${circularity.initial.toFixed(2)} at initialisation, ${circularity.final.toFixed(2)} at the end.`,
  ];
  return {
    heading: "Masks compared",
    note: notes.filter(Boolean).join(" "),
    content: [
      htmlTable({
        columns: [
          { heading: "mask" },
          ...layers.map((l) => number(`${l}, % kept`)),
          ...(waves ? [number("Fourier entropy")] : []),
        ],
        rows: masks.map((m) => [
          m.label,
          ...layers.map((l) => (100 * m.density[l]).toFixed(1)),
          ...(waves ? [significant(m.fourierEntropy!)] : []),
        ]),
      }),
      htmlTable({
        columns: [
          { heading: "mask" },
          ...["degree", "path length", "clustering", "modularity", "communities", "Ramanujan gap"].map(
            number,
          ),
        ],
        rows: masks.map((m) => [
          m.label,
          ...[m.degree, m.pathLength, m.clustering, m.modularity].map(significant),
          m.communities,
          significant(m.ramanujanGap),
        ]),
      }),
    ],
  };
}
