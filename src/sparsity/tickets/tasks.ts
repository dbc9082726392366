import type { Graph } from "../../engine/graph.ts";
import type { Tensor } from "../../engine/tensor.ts";
import { tensor, zeros } from "../../engine/tensor.ts";
import { Problem } from "../../problem.ts";
import { random } from "../../random.ts";

/** A binary operation on a finite set as a classification task: every pair (x, y) is a sample, x∘y its class. */
export interface Task {
  name: string;
  /** Elements 0 .. elements−1. */
  elements: number;
  /** x∘y = y∘x: then only pairs with x ≤ y are samples. */
  commutative: boolean;
  /** x of sample i at 2i, y at 2i + 1. */
  pairs: Int32Array;
  labels: Int32Array;
}

interface Operation {
  says: string;
  commutative: boolean;
  label: (x: number, y: number, p: number) => number;
  /** Pairs that have a result. Default: all. */
  defined?: (y: number) => boolean;
  requires?: (p: number) => string | undefined;
}

const mod = (a: number, p: number) => ((a % p) + p) % p;

const OPERATIONS = {
  modadd: { says: "x + y mod p", commutative: true, label: (x, y, p) => mod(x + y, p) },
  modsub: { says: "x − y mod p", commutative: false, label: (x, y, p) => mod(x - y, p) },
  modmul: { says: "x · y mod p", commutative: true, label: (x, y, p) => mod(x * y, p) },
  moddiv: {
    says: "x / y mod p, p prime",
    commutative: false,
    label: (x, y, p) => mod(x * power(y, p - 2, p), p),
    defined: (y) => y !== 0,
    requires: (p) => (isPrime(p) ? undefined : `${p} is not prime, so not every y has an inverse`),
  },
  squares: { says: "x² + y² mod p", commutative: true, label: (x, y, p) => mod(x * x + y * y, p) },
  quadratic: {
    says: "x² + xy + y² mod p",
    commutative: true,
    label: (x, y, p) => mod(x * x + x * y + y * y, p),
  },
} satisfies Record<string, Operation>;

export type TaskName = keyof typeof OPERATIONS | "s5";

/** Names of the tasks with what they compute. */
export const TASKS: Readonly<Record<TaskName, string>> = {
  ...(Object.fromEntries(Object.entries(OPERATIONS).map(([name, { says }]) => [name, says])) as Record<
    keyof typeof OPERATIONS,
    string
  >),
  s5: "composition of the 120 permutations of five things",
};

/**
 * All pairs of a task (grokking.md section 2). `p` is the modulus, from 2 to 1000; `s5` has none. Commutative operations
 * have p(p + 1)/2 samples, the others p² (p(p − 1) for division).
 */
export function createTask(name: TaskName, p: number): Task {
  if (name === "s5") return permutationTask();
  const operation: Operation | undefined = Object.hasOwn(OPERATIONS, name) ? OPERATIONS[name] : undefined;
  if (!operation) throw new Problem(`unknown task "${name}"; known: ${Object.keys(TASKS).join(", ")}`);
  if (!Number.isInteger(p) || p < 2 || p > 1000)
    throw new Problem(`p must be a whole number from 2 to 1000, found ${p}`);
  const reason = operation.requires?.(p);
  if (reason) throw new Problem(`task ${name}: ${reason}; choose another p`);
  const pairs: number[] = [];
  const labels: number[] = [];
  for (let x = 0; x < p; x++)
    for (let y = operation.commutative ? x : 0; y < p; y++) {
      if (operation.defined && !operation.defined(y)) continue;
      pairs.push(x, y);
      labels.push(operation.label(x, y, p));
    }
  return {
    name,
    elements: p,
    commutative: operation.commutative,
    pairs: Int32Array.from(pairs),
    labels: Int32Array.from(labels),
  };
}

/** All permutations of five things, in lexicographic order: the elements of `s5`. */
export function permutationsOfFive(): number[][] {
  const all: number[][] = [];
  const extend = (prefix: number[]) => {
    if (prefix.length === 5) all.push(prefix);
    for (let k = 0; k < 5; k++) if (!prefix.includes(k)) extend([...prefix, k]);
  };
  extend([]);
  return all;
}

/** Composition in S5: (x∘y)(k) = x(y(k)). */
function permutationTask(): Task {
  const all = permutationsOfFive();
  const indexOf = new Map(all.map((q, i) => [q.join(), i]));
  const pairs: number[] = [];
  const labels: number[] = [];
  all.forEach((x, i) => {
    all.forEach((y, j) => {
      pairs.push(i, j);
      labels.push(indexOf.get(y.map((k) => x[k]).join())!);
    });
  });
  return {
    name: "s5",
    elements: all.length,
    commutative: false,
    pairs: Int32Array.from(pairs),
    labels: Int32Array.from(labels),
  };
}

/** Which samples train and which test. */
export interface TaskSplit {
  train: Uint32Array;
  test: Uint32Array;
}

/** Shuffles the samples with the seed; the first ⌊fraction·n⌋ are for training. */
export function splitTask({ labels }: Task, fraction: number, seed: number): TaskSplit {
  const order = random(seed).permutation(labels.length);
  const count = Math.floor(fraction * labels.length);
  if (!(count >= 1 && count < labels.length))
    throw new Problem(
      `a training share of ${fraction} leaves ${count} of ${labels.length} samples to train on; choose one between 0 and 1`,
    );
  return { train: order.slice(0, count), test: order.slice(count) };
}

/** Rows of the MLP's embedding: y has tokens of its own where the order of x and y matters. */
export function vocabularyOf({ elements, commutative }: Task): number {
  return commutative ? elements : 2 * elements;
}

/** What a model of the task reads for some samples: `counts` or `tokens`, whichever its input is called, and `labels`. */
export function taskFeeds(task: Task, samples: Uint32Array, model: Graph): Record<string, Tensor> {
  const labels = tensor(
    "int32",
    [samples.length],
    Int32Array.from(samples, (i) => task.labels[i]),
  );
  const [name] = model.inputs;
  return { [name]: name === "counts" ? counts(task, samples) : tokens(task, samples), labels };
}

function counts(task: Task, samples: Uint32Array): Tensor {
  const width = vocabularyOf(task);
  const rows = zeros([samples.length, width]);
  samples.forEach((sample, row) => {
    rows.data[row * width + task.pairs[2 * sample]]++;
    rows.data[row * width + task.pairs[2 * sample + 1] + (task.commutative ? 0 : task.elements)]++;
  });
  return rows;
}

function tokens(task: Task, samples: Uint32Array): Tensor {
  const data = new Int32Array(2 * samples.length);
  samples.forEach((sample, row) => {
    data.set(task.pairs.subarray(2 * sample, 2 * sample + 2), 2 * row);
  });
  return tensor("int32", [samples.length, 2], data);
}

function power(base: number, exponent: number, p: number): number {
  let result = 1;
  for (let e = exponent, b = base % p; e > 0; e = Math.floor(e / 2), b = (b * b) % p)
    if (e % 2 === 1) result = (result * b) % p;
  return result;
}

function isPrime(p: number): boolean {
  for (let d = 2; d * d <= p; d++) if (p % d === 0) return false;
  return p > 1;
}
