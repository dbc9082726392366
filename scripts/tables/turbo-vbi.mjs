import { count, percent, spread, table } from "./format.mjs";

/** Small MNIST: a row for each method; `own`: those that keep what they like. */
function turboSmall(own) {
  return ({ rows }) => {
    const list = (values, digits = 0) => values.map((v) => v.toFixed(digits)).join(", ");
    const heads = own
      ? ["method", "accuracy, %", "weights", "neurons", "index bits a weight: runs", "CSR"]
      : ["method", "accuracy, %", "runs of layer 1, each seed", "runs of layer 2", "index bits a weight"];
    const layer = (values, i) => list(values.map((v) => v[i]));
    return table(
      heads,
      rows
        .filter((r) => Boolean(r.settings.own) === own)
        .map((r) => [
          r.method.replace(", own mask", ""),
          percent(r.accuracy),
          ...(own
            ? [
                list(r.nonZeros.map((v) => v.reduce((a, b) => a + b, 0))),
                r.neurons.map((v) => v.join("+")).join(", "),
                list(r.indexBitsPerWeight.runs, 1),
                list(r.indexBitsPerWeight.csr, 1),
              ]
            : [layer(r.runs, 0), layer(r.runs, 1), list(r.indexBitsPerWeight.runs, 1)]),
        ]),
    );
  };
}

/** LeNet-300-100 on MNIST: a row for each method. */
function turboMnist({ dense, rows }) {
  const list = (values, digits = 1) => values.map((v) => v.toFixed(digits)).join(", ");
  return table(
    [
      "method",
      "error, % (mean ± s.d.)",
      "error before tuning",
      "times fewer weights, each seed",
      "mean run of layer 1",
      "index bits a weight: runs",
      "CSR",
      "neurons",
    ],
    [
      ["dense", spread(dense.error), "–", "1", "–", "–", "–", "300+100"],
      ...rows.map((r) => [
        r.method,
        spread(r.error),
        list(r.errorBeforeTuning, 2),
        list(r.fewerWeights),
        list(r.firstMeanRun),
        list(r.indexBitsPerWeight.runs),
        list(r.indexBitsPerWeight.csr),
        r.neurons.map((v) => v.join("+")).join(", "),
      ]),
    ],
  );
}

/** Methods that learn noise: a row for each strength. */
function turboBaselines({ rows }) {
  const list = (values, digits) => values.map((v) => v?.toFixed(digits) ?? "all").join(", ");
  return table(
    ["method", "error, % (mean ± s.d.)", "error before tuning", "times fewer weights, each seed"],
    rows.map((r) => [r.method, spread(r.error), list(r.errorBeforeTuning, 2), list(r.fewerWeights, 1)]),
  );
}

/** Of the files that err at most 1 %. */
function smallest(files) {
  const [file] = files.filter((s) => s.error <= 1).sort((a, b) => a.bytes - b.bytes);
  return file
    ? `${count(file.bytes)} bytes (${file.storage.replace(", trained", "")}), 1/${file.fewerBits.toFixed(0)}, error ${file.error.toFixed(2)} %`
    : "none";
}

/** LeNet-5: a row for each network, and the smallest of its files that errs at most 1 %. */
function turboLenet({ rows, missing }) {
  const lines = table(
    [
      "prior",
      "seed",
      "error of the dense network, %",
      "error, %",
      "times fewer weights",
      "filters and neurons",
      "smallest file with at most 1 % error",
      "with quantised weights trained",
    ],
    rows.map((r) => {
      return [
        r.method,
        r.seed,
        r.denseError.toFixed(2),
        r.error.toFixed(2),
        r.fewerWeights.toFixed(1),
        r.layers
          .slice(0, -1)
          .map((l) => l.rows)
          .join("+"),
        smallest(r.stored),
        r.trained.length > 0 ? smallest(r.trained) : "to come",
      ];
    }),
  );
  return missing > 0 ? `${lines}\n\n${missing} networks of these seeds are still to come.` : lines;
}

/** A row for each chain: its file, and what errs least among files no larger. */
function turboVgg({ dense, equalBits }) {
  return table(
    ["chain", "weights in use", "bytes", "error, %", "independent bits", "magnitude", "dense, few bits"],
    [
      ["(dense, all bits)", "72,496", "", spread(dense.error), "", "", ""],
      ...equalBits.map((e) => [
        e.method,
        count(e.used.mean),
        count(e.bytes.mean),
        spread(e.chain),
        spread(e.iid),
        spread(e.magnitude),
        spread(e.dense),
      ]),
    ],
  );
}

/** What modules A and B cost, by prior and size. */
function turboCost({ rows, epochs }) {
  const sizes = [...new Set(rows.map((r) => r.weights))];
  const priors = [...new Set(rows.map((r) => r.prior))];
  const of = (prior, weights) => rows.find((r) => r.prior === prior && r.weights === weights);
  const both = (r) => (r ? (r.moduleA + r.moduleB).toFixed(0) : "–");
  return [
    table(
      ["ns a weight, A and B together", ...sizes.map((n) => `${count(n)} weights`)],
      priors.map((prior) => [prior, ...sizes.map((n) => both(of(prior, n)))]),
    ),
    table(
      ["network", "share of an epoch", "sampled step ÷ plain step"],
      epochs.map((e) => [e.network, `${(100 * e.share).toFixed(1)} %`, e.stepOverPlain.toFixed(2)]),
    ),
  ].join("\n\n");
}

const recovered = ({ nmse, f1 }) => `${nmse.toFixed(3)} / ${f1.toFixed(2)}`;

/** Tables of docs/turbo-vbi.md: the name of each, the results it shows, and how. */
export const TABLES = {
  "turbo-recovery": [
    "turbo-regression",
    ({ recovery }) =>
      table(
        ["prior", "structured: error / F1", "mean-field, as published"],
        recovery.map((r) => [r.prior, recovered(r.structured), recovered(r.meanField)]),
      ),
  ],
  "turbo-mixed": [
    "turbo-regression",
    ({ mixed }) =>
      table(
        ["weights in use", "independent bits", "chain", "groups"],
        mixed.map((r) => [r.truth, recovered(r.iid), recovered(r.chain), recovered(r.group)]),
      ),
  ],
  "turbo-small": ["turbo-small", turboSmall(false)],
  "turbo-own": ["turbo-small", turboSmall(true)],
  "turbo-mnist": ["turbo-mnist", turboMnist],
  "turbo-baselines": ["turbo-baselines", turboBaselines],
  "turbo-lenet": ["turbo-lenet", turboLenet],
  "turbo-vgg": ["turbo-vgg", turboVgg],
  "turbo-cost": ["turbo-cost", turboCost],
};
