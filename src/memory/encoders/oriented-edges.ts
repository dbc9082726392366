import { checkImage, type GrayImage } from "./images.ts";

export interface OrientedEdgesOptions {
  /** Gradient (Sobel) from which on a pixel is on an edge, in the image's unit: a full step is 4 times its height. */
  threshold: number;
  /** Parts of the circle that are told apart; dark to bright and bright to dark differ. Default 8. */
  directions?: number;
}

/**
 * The edges of an image with the direction in which it brightens: input `pixel·directions + direction`. Lines that cross
 * share pixels but no inputs, so that superposed images stay apart. Outside the image is 0.
 */
export function orientedEdges(
  image: GrayImage,
  { threshold, directions = 8 }: OrientedEdgesOptions,
): number[] {
  checkImage(image);
  const { width, height, data } = image;
  const active: number[] = [];
  const at = (x: number, y: number) =>
    x < 0 || y < 0 || x >= width || y >= height ? 0 : data[y * width + x];
  for (let y = 0; y < height; y++)
    for (let x = 0; x < width; x++) {
      const [nw, n, ne] = [at(x - 1, y - 1), at(x, y - 1), at(x + 1, y - 1)];
      const [sw, s, se] = [at(x - 1, y + 1), at(x, y + 1), at(x + 1, y + 1)];
      const dx = ne + 2 * at(x + 1, y) + se - nw - 2 * at(x - 1, y) - sw;
      const dy = sw + 2 * s + se - nw - 2 * n - ne;
      if (dx * dx + dy * dy < threshold * threshold) continue;
      const turn = Math.atan2(dy, dx) / (2 * Math.PI);
      const direction = (Math.round(turn * directions) + directions) % directions;
      active.push((y * width + x) * directions + direction);
    }
  return active;
}
