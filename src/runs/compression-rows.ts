import type { BeforeAfter, CompressResult } from "./compress.node.ts";
import { formatBytes, formatCount, formatShare, significant } from "./format.ts";

/** One figure of a compression, in words. */
export interface ComparedFigure {
  name: string;
  /** It says more of the figure above. */
  detail: boolean;
  before: string;
  after: string;
  /** The factor between them, or the difference where that says more. */
  smallerBy: string;
}

/** A figure with the factor by which it has become smaller. */
export function compared(
  name: string,
  { before, after }: BeforeAfter,
  format: (v: number) => string,
): ComparedFigure {
  return {
    name,
    detail: false,
    before: format(before),
    after: format(after),
    smallerBy: `${significant(before / after)}×`,
  };
}

/** A share with the points by which it has changed. */
export function comparedShare(name: string, figure: BeforeAfter): ComparedFigure {
  return {
    ...compared(name, figure, formatShare),
    smallerBy: `${((figure.after - figure.before) * 100).toFixed(2)} points`,
  };
}

/** What a compression changed, the same in the terminal and on the page. */
export function comparedFigures(result: CompressResult): ComparedFigure[] {
  const { accuracy, validation, parameters, nonZeros, bytes, packedBytes, macs, usedMacs } = result;
  const { activationBytes, latencyMs, skippingZeros, patterns } = result;
  const ms = (v: number) => `${significant(v)} ms`;
  const detail = (...figure: Parameters<typeof compared>) => ({ ...compared(...figure), detail: true });
  const since = (b: "b1" | "b64", after: number) => ({ before: latencyMs.before[b], after });
  const skipped = (b: "b1" | "b64", batch: number) => {
    if (!skippingZeros) return [];
    const { ms: after, skipped } = skippingZeros[b];
    return [detail(`zeros skipped, ${batch}${skipped ? "" : " (slower, so not done)"}`, since(b, after), ms)];
  };
  const scattered = skippingZeros !== null || patterns !== null;
  return [
    comparedShare("test accuracy", accuracy),
    ...(validation ? [comparedShare("validation accuracy", validation)] : []),
    compared("parameters", parameters, formatCount),
    ...(scattered ? [detail("that are not zero", nonZeros, formatCount)] : []),
    compared("bytes on disk", bytes, formatBytes),
    ...(packedBytes === null
      ? []
      : [detail("packed (filigree pack)", { before: bytes.before, after: packedBytes }, formatBytes)]),
    compared("multiply-accumulates", macs, formatCount),
    ...(scattered ? [detail("by weights that are not zero", usedMacs, formatCount)] : []),
    compared("memory of activations", activationBytes, formatBytes),
    compared("latency, batch 1", since("b1", latencyMs.after.b1), ms),
    compared("latency, batch 64", since("b64", latencyMs.after.b64), ms),
    detail("zeros left in place, 64", since("b64", latencyMs.masked.b64), ms),
    ...skipped("b1", 1),
    ...skipped("b64", 64),
  ];
}
