/** 1234567 → "1,234,567". */
export function formatCount(n: number): string {
  return n.toLocaleString("en-US", { maximumFractionDigits: 0 });
}

/** 1234567 → "1.23 M". */
export function formatShort(n: number): string {
  return scaled(n, 1000, ["", "k", "M", "G", "T"]);
}

/** Bytes in powers of 1000: 1234567 → "1.23 MB". */
export function formatBytes(n: number): string {
  return scaled(n, 1000, ["B", "kB", "MB", "GB", "TB"]);
}

function scaled(n: number, base: number, units: readonly string[]): string {
  let i = 0;
  for (; i < units.length - 1 && Math.abs(n) >= base * 0.9995; i++) n /= base;
  return `${i === 0 ? n : significant(n)} ${units[i]}`.trimEnd();
}

/** Three significant digits, without an exponent where that is readable. */
export function significant(n: number): string {
  if (!Number.isFinite(n)) return String(n);
  const size = Math.abs(n);
  if (n !== 0 && (size < 1e-3 || size >= 1e6)) return n.toExponential(2);
  return size >= 100 ? n.toFixed(0) : n.toPrecision(3);
}

/** 0.98765 → "98.77 %". */
export function formatShare(n: number): string {
  return `${(100 * n).toFixed(2)} %`;
}

/** 3725 → "1 h 2 min", 65 → "1 min 5 s", 3.21 → "3.2 s". */
export function formatSeconds(seconds: number): string {
  if (seconds < 10) return `${seconds.toFixed(1)} s`;
  const s = Math.round(seconds);
  if (s < 60) return `${s} s`;
  if (s < 3600) return `${Math.floor(s / 60)} min ${s % 60} s`;
  return `${Math.floor(s / 3600)} h ${Math.floor((s % 3600) / 60)} min`;
}

/** 1 → "1 epoch", 2 → "2 epochs". */
export function formatMany(n: number, noun: string): string {
  return `${formatCount(n)} ${noun}${n === 1 ? "" : "s"}`;
}
