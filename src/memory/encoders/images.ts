import { Problem } from "../../problem.ts";

/** A grey image, row by row; values in any unit, brighter is more. */
export interface GrayImage {
  readonly width: number;
  readonly height: number;
  readonly data: ArrayLike<number>;
}

/** The image at another size, each new pixel the mean of what it covers. */
export function resizeImage(image: GrayImage, width: number, height: number): GrayImage {
  checkImage(image);
  const rows = coverage(image.height, height);
  const columns = coverage(image.width, width);
  const data = new Float64Array(width * height);
  for (let y = 0; y < height; y++)
    for (let x = 0; x < width; x++) {
      let sum = 0;
      let area = 0;
      for (const [sy, wy] of rows[y])
        for (const [sx, wx] of columns[x]) {
          sum += wy * wx * image.data[sy * image.width + sx];
          area += wy * wx;
        }
      data[y * width + x] = sum / area;
    }
  return { width, height, data };
}

/** Of each of `to` pixels in a row: which of `from` it covers, and how much of them. */
function coverage(from: number, to: number): [number, number][][] {
  const scale = from / to;
  return Array.from({ length: to }, (_, i) => {
    const [start, end] = [i * scale, (i + 1) * scale];
    const parts: [number, number][] = [];
    for (let s = Math.floor(start); s < Math.min(from, Math.ceil(end - 1e-9)); s++)
      parts.push([s, Math.min(end, s + 1) - Math.max(start, s)]);
    return parts;
  });
}

/**
 * The strongest edges of an image: pixels where the gradient (Sobel) is largest across the edge, at most `count` of
 * them, so that a memory always sees about as many active inputs. Flat images have none.
 */
export function imageEdges(image: GrayImage, count: number): number[] {
  checkImage(image);
  const { width, height, data } = image;
  const at = (x: number, y: number) =>
    data[Math.min(height - 1, Math.max(0, y)) * width + Math.min(width - 1, Math.max(0, x))];
  const strength = new Float64Array(width * height);
  const across = new Int32Array(width * height);
  for (let y = 0; y < height; y++)
    for (let x = 0; x < width; x++) {
      const column = (c: number) => at(c, y - 1) + 2 * at(c, y) + at(c, y + 1);
      const row = (r: number) => at(x - 1, r) + 2 * at(x, r) + at(x + 1, r);
      const [gx, gy] = [column(x + 1) - column(x - 1), row(y + 1) - row(y - 1)];
      strength[y * width + x] = Math.hypot(gx, gy);
      // The gradient's direction in eighths of a circle, opposite ones alike.
      across[y * width + x] = ((Math.round((4 * Math.atan2(gy, gx)) / Math.PI) % 4) + 4) % 4;
    }
  const steps = [
    [1, 0],
    [1, 1],
    [0, 1],
    [-1, 1],
  ];
  const largest = strength.reduce((a, b) => Math.max(a, b), 0);
  const isEdge = (i: number) => {
    const [x, y] = [i % width, Math.floor(i / width)];
    const [dx, dy] = steps[across[i]];
    const beside = (sign: number) => {
      const [nx, ny] = [x + sign * dx, y + sign * dy];
      return nx < 0 || ny < 0 || nx >= width || ny >= height ? 0 : strength[ny * width + nx];
    };
    // Of a broad edge only one side of two equals stays. Rounding of grey values is no edge.
    return strength[i] > 1e-6 * largest && strength[i] >= beside(-1) && strength[i] > beside(1);
  };
  return Array.from(strength.keys())
    .filter(isEdge)
    .sort((a, b) => strength[b] - strength[a] || a - b)
    .slice(0, count)
    .sort((a, b) => a - b);
}

/**
 * The edges of what moves in a clip: of each frame's difference from the background, which is the median of every
 * pixel over the clip. `count` as in `imageEdges`.
 */
export function videoEdges(frames: readonly GrayImage[], count: number): number[][] {
  if (frames.length === 0) return [];
  const [{ width, height }] = frames;
  for (const frame of frames) {
    checkImage(frame);
    if (frame.width !== width || frame.height !== height)
      throw new Problem(
        `video edges: frames of ${width}×${height} and ${frame.width}×${frame.height} in one clip`,
      );
  }
  const background = Float64Array.from({ length: width * height }, (_, i) => {
    const values = frames.map(({ data }) => data[i]).sort((a, b) => a - b);
    return values[values.length >> 1];
  });
  return frames.map(({ data }) =>
    imageEdges({ width, height, data: background.map((b, i) => Math.abs(data[i] - b)) }, count),
  );
}

/**
 * The lines of a bright shape, one pixel wide: thinning after Zhang & Suen (Comm. ACM 27(3), 1984) of the pixels above
 * `threshold`. What is connected stays connected.
 */
export function imageSkeleton(image: GrayImage, threshold: number): number[] {
  checkImage(image);
  const { width, height, data } = image;
  const stride = width + 2;
  // A frame of zeros spares the edges.
  const on = new Uint8Array(stride * (height + 2));
  for (let y = 0; y < height; y++)
    for (let x = 0; x < width; x++) if (data[y * width + x] > threshold) on[(y + 1) * stride + x + 1] = 1;
  // Neighbours clockwise from the north.
  const ring = [-stride, 1 - stride, 1, 1 + stride, stride, stride - 1, -1, -1 - stride];
  for (let changed = true; changed; ) {
    changed = false;
    for (const pass of [0, 1]) {
      const remove: number[] = [];
      for (let i = stride; i < on.length - stride; i++) {
        if (!on[i]) continue;
        const p = ring.map((step) => on[i + step]);
        const neighbours = p.reduce((a, b) => a + b, 0);
        const rises = p.reduce((sum, value, r) => sum + Number(value === 0 && p[(r + 1) % 8] === 1), 0);
        const [north, , east, , south, , west] = p;
        const side =
          pass === 0
            ? north * east * south + east * south * west
            : north * east * west + north * south * west;
        if (neighbours >= 2 && neighbours <= 6 && rises === 1 && side === 0) remove.push(i);
      }
      for (const i of remove) on[i] = 0;
      changed ||= remove.length > 0;
    }
  }
  const lines: number[] = [];
  for (let y = 0; y < height; y++)
    for (let x = 0; x < width; x++) if (on[(y + 1) * stride + x + 1]) lines.push(y * width + x);
  return lines;
}

/** Throws a Problem unless there are as many pixels as the size says. */
export function checkImage({ width, height, data }: GrayImage): void {
  if (data.length !== width * height || width < 1 || height < 1)
    throw new Problem(`image: ${data.length} pixels are not ${width}×${height}`);
}
