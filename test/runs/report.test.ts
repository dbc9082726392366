import { parseHTML } from "linkedom";
import { describe, expect, test } from "vitest";
import { html, raw } from "../../src/runs/report/html.ts";
import { htmlTable, page } from "../../src/runs/report/page.ts";
import { linePlot } from "../../src/runs/report/plot-svg.ts";
import { runReport } from "../../src/runs/report/run-report.ts";
import type { MetricsLine } from "../../src/runs/run-result.ts";
import { recipeOf } from "./support.ts";

const recipe = recipeOf("model: lenet\ndata: mnist\nepochs: 3\n", "<b>run</b>");

function lineAt(epoch: number): MetricsLine {
  return {
    epoch,
    step: 10 * (epoch + 1),
    loss: 1 / (epoch + 1),
    learningRate: 0.1,
    metrics: { accuracy: 0.9 + epoch / 100, "groups/conv1": 20 - epoch },
    seconds: epoch,
  };
}

describe("html", () => {
  test("escapes what is inserted, but not HTML", () => {
    const { html: text } = html`<p title="${'"'}">${"<script>"}${raw("<b>")}${[html`<i>${1}</i>`, "&"]}</p>`;
    expect(text).toBe('<p title="&#34;">&#60;script&#62;<b><i>1</i>&#38;</p>');
  });

  test("a page is one document without anything from elsewhere", () => {
    const text = page({
      title: "<T>",
      sections: [{ heading: "H", content: htmlTable({ columns: [{ heading: "a" }], rows: [["x"], [2]] }) }],
    });
    const { document } = parseHTML(text);
    expect(document.querySelector("h1")?.textContent).toBe("<T>");
    expect([...document.querySelectorAll("td")].map((td) => td.textContent)).toEqual(["x", "2"]);
    expect(text).toContain("prefers-color-scheme: dark");
    expect(text).not.toMatch(/<script|<link|<img|url\(|@import|https?:\/\/(?!www\.w3\.org)/);
  });
});

/** The corners of the first line that a plot draws. */
function corners(svg: string): { x: number; y: number }[] {
  const { document } = parseHTML(`<html><body>${svg}</body></html>`);
  const path = document.querySelector('[aria-label="line"] path')!.getAttribute("d")!;
  return path
    .split(/[ML]/)
    .slice(1)
    .map((pair) => {
      const [x, y] = pair.split(",").map(Number);
      return { x, y };
    });
}

describe("a line plot", () => {
  const points = [1, 2, 4, 8].map((y, i) => ({ x: i, y }));

  test("draws points in proportion", () => {
    const drawn = corners(linePlot({ lines: [{ label: "a", points }], x: "x" }).html);
    const scale = (drawn[3].y - drawn[0].y) / 7;
    expect(scale).toBeLessThan(0);
    drawn.forEach(({ x, y }, i) => {
      expect(x).toBeCloseTo(drawn[0].x + (i * (drawn[3].x - drawn[0].x)) / 3, 2);
      expect(y).toBeCloseTo(drawn[0].y + (points[i].y - 1) * scale, 2);
    });
  });

  test("with a logarithmic axis draws powers of two at equal steps", () => {
    const drawn = corners(linePlot({ lines: [{ label: "a", points }], x: "x", logarithmic: true }).html);
    const steps = drawn.slice(1).map((p, i) => p.y - drawn[i].y);
    for (const step of steps) expect(step).toBeCloseTo(steps[0], 2);
  });

  test("writes whole numbers at its ticks", () => {
    const line = { label: "a", points: [10, 40, 64].map((y, x) => ({ x, y })) };
    const svg = linePlot({ lines: [line], x: "x" }).html;
    const { document } = parseHTML(`<html><body>${svg}</body></html>`);
    const ticks = [...document.querySelectorAll('[aria-label="y-axis tick label"] text')];
    expect(ticks.map((t) => t.textContent)).toEqual(["10", "20", "30", "40", "50", "60"]);
  });

  test("leaves a gap where a value is not finite", () => {
    const holes = [...points.slice(0, 2), { x: 2, y: Number.NaN }, ...[3, 4].map((x) => ({ x, y: x }))];
    const { html: svg } = linePlot({ lines: [{ label: "a", points: holes }], x: "x" });
    expect(svg).not.toContain("NaN");
    const { document } = parseHTML(`<html><body>${svg}</body></html>`);
    expect(document.querySelector('[aria-label="line"] path')!.getAttribute("d")!.split("M")).toHaveLength(3);
  });

  test("has a legend only for several lines, and whole numbers below epochs", () => {
    const { html: one } = linePlot({ lines: [{ label: "a", points }], x: "epoch" });
    const { html: two } = linePlot({ lines: ["a", "<b>"].map((label) => ({ label, points })), x: "epoch" });
    expect(one).not.toContain("legend");
    expect(two).toContain("&#60;b&#62;</span>");
    const { document } = parseHTML(`<html><body>${one}</body></html>`);
    const ticks = [...document.querySelectorAll('[aria-label="x-axis tick label"] text')];
    expect(ticks.map((t) => t.textContent)).toEqual(["0", "1", "2", "3"]);
  });
});

describe("a run's report", () => {
  test("shows every epoch, the curves and the recipe", () => {
    const { document } = parseHTML(
      runReport({ recipe: { ...recipe, name: "<b>" }, lines: [0, 1, 2].map(lineAt), result: undefined }),
    );
    expect(document.querySelector("h1")?.textContent).toBe("<b>");
    expect(document.querySelector("header p")?.textContent).toBe("lenet on mnist, 3 of 3 epochs so far");
    expect(document.querySelectorAll("tbody tr")).toHaveLength(3);
    expect([...document.querySelectorAll("figcaption")].map((f) => f.textContent)).toEqual([
      "Loss",
      "Accuracy",
      "Groups left by layer",
      "Learning rate",
    ]);
    expect(document.querySelector("pre")?.textContent).toContain("model: lenet");
  });

  test("says why groups were still alive, and how far from stationary each layer was", () => {
    const undecided = [{ group: 4, norm: 0.25, zero: 0.125, whole: null }];
    const outcome = { groups: 8, keep: 3, natural: 4, epoch: 3, lambda: 2, forced: 1, undecided };
    const lines = [0, 1, 2].map(lineAt);
    // In warm-up there is no certificate.
    for (const line of lines.slice(1))
      Object.assign(line.metrics, { "gap/conv1": 0.5, "threshold/conv1": 0.1 });
    const commit = { before: { accuracy: 0.9 }, after: { accuracy: 0.8 } };
    const result = {
      ...{ name: "r", finished: true, epochs: 3, steps: 9, seconds: 1, metrics: {} },
      sparsity: { layers: [{ name: "conv1", ...outcome }], commit },
    };
    const { document } = parseHTML(runReport({ recipe, lines, result }));
    expect(document.body.textContent).toContain("Why these groups were still alive");
    const cells = [...document.querySelectorAll("td")].map((c) => c.textContent);
    expect(cells.join(" ")).toContain("conv1 4 0.250 0.125 –");
    const captions = [...document.querySelectorAll("figcaption")].map((f) => f.textContent);
    expect(captions).toContain("Distance from stationary (relative Fenchel–Young gap) by layer");
    expect(captions.join()).not.toContain("threshold");
    // Control: where nothing was undecided, nothing is said of it.
    outcome.undecided = [];
    result.sparsity.layers = [{ name: "conv1", ...outcome }];
    expect(parseHTML(runReport({ recipe, lines, result })).document.body.textContent).not.toContain(
      "still alive",
    );
  });

  test("says what training held, where that was measured", () => {
    const plain = {
      ...{ name: "r", finished: true, epochs: 1, steps: 9, seconds: 1, metrics: {} },
      sparsity: null,
    };
    const footprint = {
      ...{ trainable: 1234, parameters: 5000, effectiveSteps: 2.2 },
      ...{ weights: 8000, gradients: 4936, optimizer: 9872, peak: 2e8 },
      visits: { rounds: 1.25, stepsPerPair: 3.5, weight: "fc1.weight" },
    };
    const shown = (result: typeof plain & { footprint?: typeof footprint }) => {
      const { document } = parseHTML(runReport({ recipe, lines: [lineAt(0)], result }));
      return [...document.querySelectorAll("dd")].map((d) => d.textContent);
    };
    expect(shown({ ...plain, footprint })).toEqual([
      ...shown(plain),
      ...["1,234", "2.20", "1.25", "3.50", "8.00 kB", "4.94 kB", "9.87 kB", "200 MB"],
    ]);
  });

  test("of a run that has only begun is its recipe", () => {
    const { document } = parseHTML(runReport({ recipe, lines: [], result: undefined }));
    expect(document.querySelectorAll("figure")).toHaveLength(0);
    expect(document.querySelector("pre")?.textContent).toContain("epochs: 3");
  });
});
