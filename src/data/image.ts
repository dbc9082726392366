import { convertIndexedToRgb, type DecodedPng, decode as decodePng } from "fast-png";
import { decode as decodeJpeg } from "jpeg-js";
import { Problem } from "../problem.ts";
import { dataView } from "./bytes.ts";
import { MAX_INFLATION } from "./gzip.ts";

/** Pixels 0..255, one plane after the other: [channels, height, width]. */
export interface Image {
  channels: 1 | 3;
  height: number;
  width: number;
  data: Uint8Array;
}

/**
 * Decodes a PNG or JPEG to 3 channels (grey is repeated) or 1 (luma 0.299 R + 0.587 G + 0.114 B). 16-bit samples keep
 * their upper byte; transparency and EXIF rotation are ignored.
 *
 * Memory: PNG never more than 8 × MAX_INFLATION times the file; JPEG no more than 512 MiB.
 */
export function decodeImage(bytes: Uint8Array, channels: 1 | 3, name = "image"): Image {
  const png = bytes[0] === 0x89 && bytes[1] === 0x50;
  if (!png && !(bytes[0] === 0xff && bytes[1] === 0xd8))
    throw new Problem(`${name}: neither a PNG nor a JPEG image`);
  if (png) checkPngSize(bytes, name);
  try {
    const { width, height, data, stride } = png ? pngPixels(bytes) : jpegPixels(bytes);
    return { channels, height, width, data: toPlanes(data, stride, width * height, channels) };
  } catch (error) {
    throw new Problem(`${name}: the ${png ? "PNG" : "JPEG"} is damaged (${(error as Error).message})`);
  }
}

/**
 * Resizes by a triangle filter as wide as a source pixel when enlarging (bilinear) and as wide as a target pixel when
 * shrinking (so that no source pixel is skipped), the two axes one after the other.
 */
export function resizeImage(image: Image, height: number, width: number): Image {
  const { channels, data } = image;
  if (image.height === height && image.width === width) return image;
  const rows = filterTaps(image.height, height);
  const columns = filterTaps(image.width, width);
  const out = new Uint8Array(channels * height * width);
  const strip = new Float64Array(image.height * width);
  for (let c = 0; c < channels; c++) {
    const plane = data.subarray(c * image.height * image.width);
    for (let y = 0; y < image.height; y++)
      for (let x = 0; x < width; x++) {
        const { first, weights } = columns[x];
        let sum = 0;
        for (let k = 0; k < weights.length; k++) sum += weights[k] * plane[y * image.width + first + k];
        strip[y * width + x] = sum;
      }
    for (let y = 0; y < height; y++)
      for (let x = 0; x < width; x++) {
        const { first, weights } = rows[y];
        let sum = 0;
        for (let k = 0; k < weights.length; k++) sum += weights[k] * strip[(first + k) * width + x];
        out[(c * height + y) * width + x] = Math.round(sum);
      }
  }
  return { channels, height, width, data: out };
}

interface Taps {
  first: number;
  weights: number[];
}

function filterTaps(from: number, to: number): Taps[] {
  const ratio = from / to;
  const reach = Math.max(1, ratio);
  return Array.from({ length: to }, (_, i) => {
    const centre = (i + 0.5) * ratio;
    const first = Math.max(0, Math.floor(centre - reach + 0.5));
    const last = Math.min(from, Math.floor(centre + reach + 0.5));
    const weights: number[] = [];
    for (let k = first; k < last; k++) weights.push(Math.max(0, 1 - Math.abs(k + 0.5 - centre) / reach));
    const total = weights.reduce((a, b) => a + b, 0);
    return { first, weights: weights.map((w) => w / total) };
  });
}

interface Pixels {
  width: number;
  height: number;
  /** Interleaved samples 0..255, `stride` of them a pixel. */
  data: ArrayLike<number>;
  stride: number;
}

/** The decoder allocates what the header states, so the header is held against the size of the file first. */
function checkPngSize(bytes: Uint8Array, name: string): void {
  if (bytes.length < 33) throw new Problem(`${name}: the PNG is cut short`);
  const view = dataView(bytes);
  const width = view.getUint32(16);
  const height = view.getUint32(20);
  const bitsPerPixel = bytes[24] * ([1, 0, 3, 1, 2, 0, 4][bytes[25]] ?? 0);
  if (width === 0 || height === 0 || width * height * (bitsPerPixel / 8) > bytes.length * MAX_INFLATION)
    throw new Problem(`${name}: a PNG of ${bytes.length} bytes cannot hold ${width}×${height} pixels`);
  if (bytes[28] !== 0 && bytes[24] < 8)
    throw new Problem(`${name}: an interlaced PNG below 8 bits is not read; save it without interlacing`);
}

function pngPixels(bytes: Uint8Array): Pixels {
  const png = decodePng(bytes, { checkCrc: true });
  const { width, height } = png;
  if (png.palette) return { width, height, data: convertIndexedToRgb(png), stride: png.palette[0].length };
  if (png.depth === 16)
    return { width, height, data: (png.data as Uint16Array).map((v) => v >> 8), stride: png.channels };
  if (png.depth === 8) return { width, height, data: png.data, stride: png.channels };
  return { width, height, data: unpackGrey(png), stride: 1 };
}

/** Grey pixels of 1, 2 or 4 bits, rows padded to whole bytes, spread over 0..255. */
function unpackGrey({ width, height, depth, data }: DecodedPng): Uint8Array {
  const rowBytes = Math.ceil((width * depth) / 8);
  const highest = 2 ** depth - 1;
  const out = new Uint8Array(width * height);
  for (let y = 0; y < height; y++)
    for (let x = 0; x < width; x++) {
      const bit = x * depth;
      const value = (data[y * rowBytes + (bit >> 3)] >> (8 - depth - (bit & 7))) & highest;
      out[y * width + x] = (value * 255) / highest;
    }
  return out;
}

function jpegPixels(bytes: Uint8Array): Pixels {
  const { width, height, data } = decodeJpeg(bytes, {
    useTArray: true,
    formatAsRGBA: false,
    tolerantDecoding: false,
    maxMemoryUsageInMB: 512,
  });
  return { width, height, data, stride: 3 };
}

function toPlanes(data: ArrayLike<number>, stride: number, pixels: number, channels: 1 | 3): Uint8Array {
  const out = new Uint8Array(channels * pixels);
  const grey = stride < 3;
  for (let i = 0; i < pixels; i++) {
    const r = data[i * stride];
    const g = grey ? r : data[i * stride + 1];
    const b = grey ? r : data[i * stride + 2];
    if (channels === 1) out[i] = grey ? r : Math.round(0.299 * r + 0.587 * g + 0.114 * b);
    else {
      out[i] = r;
      out[pixels + i] = g;
      out[2 * pixels + i] = b;
    }
  }
  return out;
}
