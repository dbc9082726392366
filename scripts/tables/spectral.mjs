import { count, table } from "./format.mjs";

/** Tables of docs/spectral.md: the name of each, the results it shows, and how. */
export const TABLES = {
  "spectral-recovery": [
    "spectral-recovery",
    ({ floor, rows }) =>
      table(
        ["method", "‖W − W*‖ at the end, each seed"],
        [
          [
            "no change of rank 2 gets below (Eckart and Young)",
            floor.values.map((v) => v.toPrecision(3)).join(", "),
          ],
          ...rows.map((r) => [r.method, r.distance.values.map((v) => v.toPrecision(2)).join(", ")]),
        ],
      ),
  ],
  "spectral-language": [
    "spectral-language",
    ({ floor, gapClosed, gapClosedAtOneRate, rows, variants }) => {
      const spread = ({ mean, sd }) => `${mean.toFixed(3)} ± ${sd.toFixed(3)}`;
      const rates = rows[0].byRate.map((r) => r.learningRate);
      return [
        table(
          ["method", "numbers that train", "optimiser, kB", ...rates.map((r) => `rate ${r}`)],
          rows.map((r) => [
            r.method,
            count(r.footprint.trainable),
            (r.footprint.optimizer / 1000).toFixed(0),
            ...r.byRate.map((b) =>
              b.learningRate === r.learningRate ? `**${spread(b.perplexity)}**` : spread(b.perplexity),
            ),
          ]),
        ),
        `The text's own floor is ${floor.toFixed(3)}. Gap closed, each method at its best rate: ${(100 * gapClosed).toFixed(0)} %; all at rate ${rates[1]}: ${(100 * gapClosedAtOneRate).toFixed(0)} %.`,
        table(
          ["SST at rate 0.01", "perplexity"],
          variants.map((v) => [v.variant, spread(v.perplexity)]),
        ),
      ].join("\n\n");
    },
  ],
  "spectral-truncation": [
    "spectral-language",
    ({ truncation }) =>
      table(
        ["trained by", ...truncation[0].shares.map((s) => `${Math.round(100 * s.share)} %`)],
        truncation.map((t) => [
          t.method,
          ...t.shares.map((s) => `${s.perplexity.mean.toFixed(2)} (${Math.round(100 * s.kept.mean)} %)`),
        ]),
      ),
  ],
  "spectral-graphs": [
    "spectral-graphs",
    ({ parts, rows }) =>
      table(
        ["task, epochs", "method", "numbers that train", "ROC-AUC or F1, mean ± s.d.", "each seed"],
        rows.map((r) => [
          `${r.part}, ${parts.find((p) => p.part === r.part).epochs}`,
          r.method,
          count(r.footprint.trainable),
          `${r.score.mean.toFixed(3)} ± ${r.score.sd.toFixed(3)}`,
          r.score.values.map((v) => v.toFixed(3)).join(", "),
        ]),
      ),
  ],
  "spectral-translation": [
    "spectral-translation",
    ({ rows, controls }) =>
      table(
        [
          "geometry, steps",
          "method",
          "numbers that train",
          "rate",
          "BLEU, each seed",
          "after 50 steps of full rank",
        ],
        rows.map((r) => [
          `${r.geometry}, ${r.steps}`,
          r.method,
          count(r.trainable),
          r.learningRate,
          r.bleu.values.map((v) => v.toFixed(1)).join(", "),
          controls.find((c) => c.geometry === r.geometry).bleu.mean.toFixed(1),
        ]),
      ),
  ],
  "spectral-text": [
    "spectral-text",
    ({ model, rank, steps, seeds, tokens, unigram, rows, gaps, largest }) => {
      const spread = ({ mean, sd, values }) =>
        values.length > 1 ? `${mean.toFixed(2)} ± ${sd.toFixed(2)}` : mean.toFixed(2);
      const rates = [...new Set(rows.flatMap((r) => r.tried.map((t) => t.learningRate)))].sort(
        (a, b) => a - b,
      );
      const texts = ["validation", "ptb", "shakespeare", "wikitext2"];
      return [
        `${model.blocks} blocks of width ${model.width}, rank ${rank}, ${count(steps)} steps, ${count(tokens)} tokens of training text. Perplexity, mean ± s.d. of ${seeds.length} seeds, each method at its best rate:`,
        table(
          [
            "method",
            "rate",
            "PTB and Shakespeare",
            "PTB",
            "Shakespeare",
            "WikiText-2",
            "numbers that train",
            "optimiser, kB",
            "processor time, min",
          ],
          [
            ...rows.map((r) => [
              r.method,
              r.learningRate,
              ...texts.map((t) => spread(r.perplexity[t])),
              count(r.footprint.trainable),
              count(r.footprint.optimizer / 1000),
              (r.seconds.mean / 60).toFixed(1),
            ]),
            [
              "how often each token is there",
              "",
              "",
              ...texts.slice(1).map((t) => unigram[t].toFixed(2)),
              "",
              "",
              "",
            ],
          ],
        ),
        gaps &&
          `Gap closed: ${gaps.map((g, i) => `${["both", "PTB", "Shakespeare", "WikiText-2"][i]} ${g.closed === undefined ? "none there" : `${(100 * g.closed).toFixed(1)} %`}`).join(", ")}; the paper reports 67.6 % of OPT-125M. SST that always takes the largest singular values, first seed: ${typeof largest === "number" ? largest.toFixed(2) : largest}, against ${rows.find((r) => r.method === "sst").perplexity.validation.values[0].toFixed(2)}.`,
        "First seed, at every rate tried:",
        table(
          ["method", ...rates.map((r) => `rate ${r}`)],
          rows.map((r) => [
            r.method,
            ...rates.map((rate) => {
              const found = r.tried.find((t) => t.learningRate === rate)?.perplexity;
              return typeof found === "number" ? found.toFixed(2) : (found ?? "");
            }),
          ]),
        ),
      ]
        .filter(Boolean)
        .join("\n\n");
    },
  ],
  "spectral-multi30k": [
    "spectral-multi30k",
    ({ model, rank, steps, seeds, rows, gaps }) =>
      [
        `${model.encoderBlocks} + ${model.decoderBlocks} blocks of width ${model.width}, rank ${rank}, ${count(steps)} steps; BLEU of the test part of 2016, mean ± s.d. of ${seeds.length} seeds:`,
        table(
          [
            "geometry",
            "method",
            "rate",
            "BLEU",
            "beside other references",
            "numbers that train",
            "optimiser, kB",
            "processor time, min",
          ],
          rows.map((r) => [
            r.geometry,
            r.method,
            r.learningRate,
            seeds.length > 1 ? `${r.bleu.mean.toFixed(1)} ± ${r.bleu.sd.toFixed(1)}` : r.bleu.mean.toFixed(1),
            r.mismatched.mean.toFixed(1),
            count(r.footprint.trainable),
            count(r.footprint.optimizer / 1000),
            (r.seconds.mean / 60).toFixed(1),
          ]),
        ),
        ...gaps
          .filter((g) => g.closed !== undefined)
          .map((g) => `Gap closed, ${g.geometry}: ${(100 * g.closed).toFixed(0)} %.`),
      ].join("\n\n"),
  ],
  "spectral-memory": [
    "spectral-memory",
    ({ settings, rows }) => {
      const mb = (bytes) => count(bytes / 1e6);
      return [
        `${settings.size}, rank ${settings.rank}, ${settings.batch} × ${settings.context} tokens, Adam; megabytes.`,
        table(
          [
            "method",
            "numbers that train",
            "weights",
            "gradients",
            "optimiser",
            "peak of the process",
            "a step, s",
          ],
          rows.map((r) => [
            r.method,
            count(r.footprint.trainable),
            mb(r.footprint.weights),
            mb(r.footprint.gradients),
            mb(r.footprint.optimizer),
            mb(r.peakBytes),
            r.stepSeconds.toFixed(1),
          ]),
        ),
      ].join("\n\n");
    },
  ],
  "spectral-step": [
    "spectral-step",
    ({ rows }) =>
      table(
        [
          "outputs × inputs",
          "rank",
          "threads",
          "SST, ms",
          "full rank, ms",
          "SST / full rank",
          "its multiplications / full rank's",
          "SST / PyTorch's SST",
          "full rank / PyTorch's",
        ],
        rows.map((r) => [
          `${r.outputs} × ${r.inputs}`,
          r.rank,
          r.threads,
          r.milliseconds.sst.toPrecision(3),
          r.milliseconds.full.toPrecision(3),
          r.toFull.toFixed(2),
          r.work.toFixed(2),
          r.toTorch.toFixed(2),
          r.fullToTorch.toFixed(2),
        ]),
      ),
  ],
  generation: [
    "generation",
    ({ context, prompt, rows }) =>
      [
        `The last of ${context} tokens, and a prompt of ${prompt}, one thread (\`npm run bench -- generation\`):`,
        table(
          [
            "layout",
            "blocks × width",
            "all anew, ms",
            "past kept, ms",
            "times faster",
            "prompt token by token, ms",
            "at once, ms",
            "times faster",
          ],
          rows.map((r) => [
            r.layout,
            `${r.blocks} × ${r.width}`,
            r.anew.toFixed(1),
            r.kept.toFixed(2),
            r.ratio.toFixed(1),
            r.prompt.apart.toFixed(0),
            r.prompt.together.toFixed(0),
            r.prompt.ratio.toFixed(1),
          ]),
        ),
      ].join("\n\n"),
  ],
  svd: [
    "svd",
    ({ rows }) =>
      table(
        ["matrix", "spectrum", "processor time, s", "residual", "orthogonality"],
        rows.map((r) => [
          `${r.rows} × ${r.columns}`,
          r.spectrum,
          r.seconds.toFixed(2),
          r.residual.toExponential(0),
          r.orthogonality.toExponential(0),
        ]),
      ),
  ],
};
