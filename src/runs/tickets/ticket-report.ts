import type { RunOutcome } from "../../sparsity/tickets/experiment.ts";
import { RUN_GROUPS, runDefinitions } from "../../sparsity/tickets/run-definitions.ts";
import type { ExperimentSettings } from "../../sparsity/tickets/settings.ts";
import type { TracePoint, Waves } from "../../sparsity/tickets/trace.ts";
import { formatMany, significant } from "../format.ts";
import { html } from "../report/html.ts";
import type { Section } from "../report/page.ts";
import { figures, highlights, htmlTable, page } from "../report/page.ts";
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
      ...traceSections(first.find((o) => o.name === "base")),
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
        `${holds === of ? "✓" : "✗"} ${holds} of ${of}`,
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
  return RUN_GROUPS.map((group) => {
    const own = [...definitions].filter(([name, d]) => d.group === group && name !== ticket);
    const all = [...reference, ...own.map(([name, { label }]) => ({ name, label }))];
    const curves = all.flatMap(({ name, label }) =>
      byName.has(name) ? [{ label, outcome: byName.get(name)! }] : [],
    );
    return { title: GROUP_TITLES[group], svg: accuracyPlot(curves) };
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

function traceSections(base: RunOutcome | undefined): Section[] {
  const trace = base?.trace;
  if (!trace || trace.length < 2) return [];
  const last = trace[trace.length - 1];
  const order = last.neurons.map((_, i) => i).sort((a, b) => last.neurons[b] - last.neurons[a]);
  return [
    {
      heading: "The mask and the spectrum while the base network trains",
      note: `Its input side, weights from tokens to neurons, seen through the magnitude mask of each moment. It memorised at step ${base.times.memorised ?? "–"} and generalised at ${base.times.generalised ?? "–"}.`,
      content: [
        traceSlider(trace),
        figures([
          {
            title: "Living share of each neuron's input weights",
            svg: heatMap(trace, (q) => q.neurons, { label: "neuron, by its share at the end", order }),
          },
          {
            title: "Jaccard distance of the mask from the last one",
            svg: tracePlot(trace, (q) => q.jaccard),
          },
          { title: "L2 norm of all weights", svg: tracePlot(trace, (q) => q.l2) },
          ...waveFigures(trace.filter(hasWaves)),
        ]),
      ],
    },
  ];
}

type WavePoint = TracePoint & Waves;
const hasWaves = (point: TracePoint): point is WavePoint => point.spectrum !== undefined;

function waveFigures(trace: readonly WavePoint[]) {
  if (trace.length === 0) return [];
  const [first, last] = [trace[0], trace[trace.length - 1]];
  const most = Math.max(...last.spectrum, ...first.spectrum);
  return [
    {
      title: "Power at each frequency",
      svg: heatMap(trace, (q) => q.spectrum, { label: "frequency", first: 1 }),
    },
    { title: "Fourier entropy, nats", svg: tracePlot(trace, (q) => q.fourierEntropy) },
    { title: "Effective rank", svg: tracePlot(trace, (q) => q.effectiveRank) },
    { title: "Spectrum at initialisation", svg: spectrumPlot(first.spectrum, most) },
    { title: "Spectrum at the end", svg: spectrumPlot(last.spectrum, most) },
  ];
}

function maskSection({ masks, betweenSeeds, circularity }: MaskAnalysis, seed: number): Section {
  const layers = Object.keys(masks[0].density);
  const number = (heading: string) => ({ heading, align: "right" as const });
  const notes = [
    `Seed ${seed}.`,
    circularity &&
      "Fourier entropy is that of the initial weights seen through the mask: the lower, the more the mask alone picks frequencies.",
    `Degree to Ramanujan gap: the layer before the neurons as a bipartite graph.`,
    betweenSeeds &&
      `Tickets of two seeds are ${betweenSeeds.found.toFixed(3)} apart (Jaccard, mean); independent masks of their density ${betweenSeeds.independent.toFixed(3)}.`,
    circularity &&
      `Circularity of the embedding: ${circularity.initial.toFixed(2)} at initialisation, ${circularity.final.toFixed(2)} at the end.`,
  ];
  return {
    heading: "Masks compared",
    note: notes.filter(Boolean).join(" "),
    content: htmlTable({
      columns: [
        { heading: "mask" },
        ...layers.map((l) => number(`${l}, % kept`)),
        ...(circularity ? [number("Fourier entropy")] : []),
        ...["degree", "path length", "clustering", "modularity", "communities", "Ramanujan gap"].map(number),
      ],
      rows: masks.map((m) => [
        m.label,
        ...layers.map((l) => (100 * m.density[l]).toFixed(1)),
        ...(circularity ? [significant(m.fourierEntropy!)] : []),
        ...[m.degree, m.pathLength, m.clustering, m.modularity, m.communities, m.ramanujanGap].map(
          significant,
        ),
      ]),
    }),
  };
}
