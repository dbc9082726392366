import { columnsOf, count, exponential, grid, table } from "./format.mjs";

/** One frame by GNS on all particles, by GIOROM, and what is beside them. */
function gioromSpeed({ rows, decoding, claims }) {
  const ms = (value) => value.toFixed(value < 10 ? 1 : 0);
  return [
    table(
      [
        "particles",
        "carried",
        "GNS on all, ms",
        "GIOROM, decoded to all, ms",
        "ratio",
        "control: GNS on the carried alone, ratio",
        "the MPM itself, ms",
        "peak MiB: GNS / GIOROM / MPM",
      ],
      rows.map(({ milliseconds: t, peakMiB, ...r }) => [
        count(r.particles),
        count(r.few),
        ms(t.all),
        ms(t.giorom),
        `${r.ratio.toFixed(0)}×`,
        `${r.ratioOfFewer.toFixed(0)}×`,
        ms(t.mpm),
        [peakMiB.all, peakMiB.giorom, peakMiB.mpm].map((v) => v.toFixed(0)).join(" / "),
      ]),
    ),
    `${count(decoding.particles)} points decoded from ${count(decoding.few)} in 3D: weights in ${decoding.bakeMilliseconds.toFixed(0)} ms, then ${decoding.frameMilliseconds.toFixed(1)} ms a frame.`,
    table(
      ["goal", ""],
      Object.entries(claims).map(([claim, holds]) => [claim, holds ? "met" : "not met"]),
    ),
  ].join("\n\n");
}

/** Rollout errors: a row for each model, the horizons on unseen blocks, then the middle one on the other sets. */
function gioromRollouts({ horizons, rows }) {
  const others = columnsOf(rows, "set").slice(1);
  return columnsOf(rows, "scene")
    .map((scene) => {
      const own = rows.filter((r) => r.scene === scene);
      const find = (model, set) => own.find((r) => r.model === model && r.set === set);
      return table(
        [
          scene,
          "one step",
          ...horizons.map((h) => `${h} frames`),
          ...others.map((set) => `${set}, ${horizons[2]} frames`),
        ],
        columnsOf(own, "model").map((model) => {
          const first = find(model, rows[0].set);
          return [
            model,
            exponential(first.oneStep),
            ...first.errors.map(exponential),
            ...others.map((set) => exponential(find(model, set).errors[2])),
          ];
        }),
      );
    })
    .join("\n\n");
}

/** Empty for results of before these were counted. */
function gioromNetworks({ networks = [] }) {
  if (networks.length === 0) return "";
  return table(
    ["network", "parameters", "processor minutes of training"],
    networks.map((n) => [n.model, count(n.parameters), n.processorMinutes.toFixed(1)]),
  );
}

/** A row for each network and test trajectory. */
function giorom3d({ trained, rows }) {
  const minutes = Object.fromEntries(trained.map((t) => [t.network, t.minutes.toFixed(0)]));
  return table(
    ["network", "minutes of training", "carried", "all", "constant velocity", "static"],
    rows.map((r) => [
      r.network,
      minutes[r.network],
      ...[r.carried, r.all, r.constantVelocity, r.static].map(exponential),
    ]),
  );
}

function gioromDecoders({ frames, rows }) {
  return grid(rows, ["decoder", `r.m.s. error at frames ${frames.join(", ")}`], ["material", (m) => m], (r) =>
    r.errors.map((e) => e.toFixed(4)).join(", "),
  );
}

const claimsOf = ({ claims }) =>
  table(
    ["claim", "holds"],
    Object.entries(claims).map(([claim, holds]) => [claim, holds ? "yes" : "no"]),
  );

/** Tables of docs/giorom.md: the name of each, the results it shows, and how. */
export const TABLES = {
  "giorom-rollouts": ["giorom-rollouts", gioromRollouts],
  "giorom-networks": ["giorom-rollouts", gioromNetworks],
  "giorom-rollouts-claims": ["giorom-rollouts", claimsOf],
  "giorom-decoders": ["giorom-decoders", gioromDecoders],
  "giorom-decoders-claims": ["giorom-decoders", claimsOf],
  "giorom-resolution": [
    "giorom-resolution",
    ({ rows }) =>
      table(
        ["sample", "share of the particles", "lite", "control: sums in place of means", "GNS"],
        rows.map((r) => [
          r.sample,
          r.ratio,
          exponential(r.lite),
          r.control === undefined ? "–" : exponential(r.control),
          exponential(r.gns),
        ]),
      ),
  ],
  "giorom-resolution-claims": ["giorom-resolution", claimsOf],
  "giorom-3d": ["giorom-3d", giorom3d],
  "giorom-3d-claims": ["giorom-3d", claimsOf],
  "giorom-speed": ["giorom-speed", gioromSpeed],
};
