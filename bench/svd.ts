/**
 * How fast is the singular value decomposition, and how exact? Processor time on one core of whole weights of a transformer
 * of width 768, random and with a spectrum that falls over six decades; the residual ‖W − UΣVᵀ‖/‖W‖ and the largest entry
 * of |UᵀU − I| and |VᵀV − I|. Writes docs/results/svd.json.
 *
 * usage: svd.js [width, default 768] [repetitions, default 5]
 */
import { writeResults } from "../protocols/support/results.ts";
import { compose } from "../src/linalg/compose.ts";
import { multiply } from "../src/linalg/product.ts";
import { svd } from "../src/linalg/svd.ts";
import { random } from "../src/random.ts";
import { median } from "../src/runs/latency.ts";

const width = Number(process.argv[2] ?? 768);
const repetitions = Number(process.argv[3] ?? 5);

function noise(rows: number, columns: number): Float32Array {
  const rng = random(rows + columns);
  return Float32Array.from({ length: rows * columns }, () => rng.normal());
}

/** The same singular vectors with values that fall from 1 to 1e−6. */
function falling(rows: number, columns: number): Float32Array {
  const { left, values, right } = svd(noise(rows, columns), rows, columns);
  const graded = values.map((_, i) => 10 ** ((-6 * i) / values.length));
  return Float32Array.from(compose([{ left, values: graded, right }], rows, columns));
}

/** Spreading millions of numbers into one call is more than a stack holds. */
function norm(values: ArrayLike<number>): number {
  let sum = 0;
  for (let i = 0; i < values.length; i++) sum += values[i] ** 2;
  return Math.sqrt(sum);
}

function defect(vectors: Float64Array, k: number, n: number): number {
  const rows = { data: vectors, rows: k, columns: n };
  const gram = multiply(rows, { ...rows, turned: true });
  return gram.reduce((worst, v, i) => Math.max(worst, Math.abs(v - (i % (k + 1) === 0 ? 1 : 0))), 0);
}

const rows = [];
for (const [m, n] of [
  [width, width],
  [width, 4 * width],
  [4 * width, width],
])
  for (const [spectrum, make] of Object.entries({ random: noise, "falls over six decades": falling })) {
    const matrix = make(m, n);
    const seconds: number[] = [];
    let found = svd(matrix, m, n);
    for (let i = 0; i < repetitions; i++) {
      const start = process.cpuUsage();
      found = svd(matrix, m, n);
      const { user, system } = process.cpuUsage(start);
      seconds.push((user + system) / 1e6);
    }
    const k = Math.min(m, n);
    const again = compose([found], m, n);
    const row = {
      rows: m,
      columns: n,
      spectrum,
      seconds: median(seconds),
      residual: norm(again.map((v, i) => v - matrix[i])) / norm(matrix),
      orthogonality: Math.max(defect(found.left, k, m), defect(found.right, k, n)),
    };
    console.log(
      `${m}×${n}, ${spectrum}: ${row.seconds.toFixed(2)} s, residual ${row.residual.toExponential(1)}, orthogonality ${row.orthogonality.toExponential(1)}`,
    );
    rows.push(row);
  }
await writeResults("svd", `npm run bench -- svd ${width} ${repetitions}`, { rows });
