/** sparsey.md P12: clips of people in motion, as binary edges of what moves; Weizmann's 4 actions by 9 people. */
import { readFile } from "node:fs/promises";
import { join } from "node:path";
import { readNpz } from "../../../src/data/npz.ts";
import { clipsFromNpz } from "../../../src/memory/encoders/clips.ts";
import { videoEdges } from "../../../src/memory/encoders/images.ts";
import { patchFields } from "../../../src/memory/fields.ts";
import { bestOf, createLabelField, labelScores, learnLabel } from "../../../src/memory/label-field.ts";
import { cellsOf, createMemory, type Memory } from "../../../src/memory/memory.ts";
import { deriveSeed, random } from "../../../src/random.ts";
import { corrupt } from "./patterns.ts";

export const ACTIONS = ["bend", "jack", "wave1", "wave2"];
const SIDE = 64;
const INPUTS = SIDE * SIDE;
export const CLIPS = { frames: 30, edges: 120 };
export const ACTION_LEVEL = { size: 16, stride: 8, q: 8, k: 32, band: [4, 256] } as const;

export interface Clip {
  person: number;
  action: string;
  /** Active pixels of each frame. */
  frames: number[][];
}

/** The clips of weizmann_4x9_gray64.npz, thinned out to equally many frames, as edges of what moves. */
export async function loadClips(folder: string): Promise<Clip[]> {
  const name = "weizmann_4x9_gray64.npz";
  const tensors = readNpz(await readFile(join(folder, name)), name);
  return clipsFromNpz(tensors, { length: CLIPS.frames, name }).map(({ label, person, frames }) => ({
    person,
    action: ACTIONS[label],
    frames: videoEdges(frames, CLIPS.edges),
  }));
}

/** The clip with so large a share of each frame's pixels moved elsewhere. */
export function noisy({ frames, ...rest }: Clip, share: number, seed: number): Clip {
  const rng = random(seed);
  return {
    ...rest,
    frames: frames.map((active) => corrupt(rng, active, INPUTS, Math.round(share * active.length))),
  };
}

function actionMemory(seed: number): Memory {
  const { size, stride, q, k, band } = ACTION_LEVEL;
  const fields = patchFields({ columns: SIDE, rows: SIDE }, { size, stride });
  return createMemory({ inputs: INPUTS, levels: [{ fields, q, k, band }], seed, rules: { freezeAt: null } });
}

/** Every clip stored once, its last code named; then each with noise. Without noise, and with as much again, as bounds. */
export function recogniseNoisy(clips: readonly Clip[], seed: number) {
  const memory = actionMemory(seed);
  const start = process.cpuUsage();
  const nameOf = ({ person, action }: Clip) => `${person} ${action}`;
  for (const clip of clips) memory.learnSequence(clip.frames, { label: nameOf(clip) });
  const { user, system } = process.cpuUsage(start);
  const asked = (share: number) => {
    let right = 0;
    let action = 0;
    let familiarity = 0;
    for (const [c, clip] of clips.entries()) {
      const { frames } = noisy(clip, share, deriveSeed(seed, "noise", c));
      const { label, frame } = memory.classifySequence(frames, { readout: "binary" });
      right += Number(label === nameOf(clip)) / clips.length;
      action += Number(label?.endsWith(clip.action)) / clips.length;
      familiarity += (frame.familiarity ?? 0) / clips.length;
    }
    return { clip: right, action, familiarity };
  };
  return {
    noNoise: asked(0),
    noise40: asked(0.4),
    control100: asked(1),
    learningCpuSeconds: (user + system) / 1e6,
    weights: memory.report().weights[0],
  };
}

/** Each person's clips classified by what the others' have taught: by the last code, by all codes, and by nearest clip. */
export function leaveOnePersonOut(clips: readonly Clip[], seed: number) {
  const right = { lastCode: 0, allCodes: 0, nearestClip: 0 };
  for (const person of new Set(clips.map((clip) => clip.person))) {
    const memory = actionMemory(seed);
    const cells = memory.network.macs.reduce((sum, { q, k }) => sum + q * k, 0);
    const everyFrame = createLabelField(cells);
    const others = clips.filter((clip) => clip.person !== person);
    for (const { frames, action } of others)
      for (const { code } of memory.learnSequence(frames, { label: action }))
        learnLabel(everyFrame, action, cellsOf(memory.network, code));
    for (const clip of clips.filter((c) => c.person === person)) {
      const codes = memory.recognizeSequence(clip.frames).map(({ code }) => code);
      const total = new Float64Array(ACTIONS.length);
      for (const code of codes)
        labelScores(everyFrame, cellsOf(memory.network, code), "logLik").forEach((x, c) => {
          total[c] += x;
        });
      const answers = {
        lastCode: memory.classifyCode(codes.at(-1)!, { readout: "logLik" }).label,
        allCodes: everyFrame.names[bestOf(total)],
        nearestClip: nearestClip(clip, others).action,
      };
      for (const name of ["lastCode", "allCodes", "nearestClip"] as const)
        right[name] += Number(answers[name] === clip.action) / clips.length;
    }
  }
  return right;
}

/** The clip whose frames share most pixels with this one's, by Jaccard's measure, frame by frame. */
function nearestClip(clip: Clip, others: readonly Clip[]): Clip {
  const sets = clip.frames.map((frame) => new Set(frame));
  const likeness = ({ frames }: Clip) =>
    frames.reduce((sum, frame, t) => {
      const shared = frame.filter((pixel) => sets[t].has(pixel)).length;
      return sum + shared / (frame.length + sets[t].size - shared || 1);
    }, 0);
  return others[bestOf(others.map(likeness))];
}
