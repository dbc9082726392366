// What lies between sparse products: moving, adding and pooling cells. AssemblyScript: pointers are byte addresses,
// steps are bytes. A cell is `lanes` neighbouring numbers, one of each sample.

/**
 * Row-major samples [planes, rows, columns], `xSample` apart, into cells. Samples come in fours.
 */
export function interleave(
  y: usize, yPlane: usize, yRow: usize, yCell: usize, x: usize, xSample: usize,
  lanes: i32, planes: i32, rows: i32, columns: i32,
): void {
  const bytes = <usize>columns << 2;
  const vectors = bytes & ~15;
  for (let lane = 0; lane < lanes; lane += 4) {
    let a = x + <usize>lane * xSample;
    for (let plane = 0; plane < planes; plane++)
      for (let row = 0; row < rows; row++, a += bytes) {
        const b = a + xSample;
        const c = b + xSample;
        const d = c + xSample;
        let out = y + <usize>plane * yPlane + <usize>row * yRow + (<usize>lane << 2);
        let i: usize = 0;
        for (; i < vectors; i += 16, out += yCell << 2) {
          const va = v128.load(a + i);
          const vb = v128.load(b + i);
          const vc = v128.load(c + i);
          const vd = v128.load(d + i);
          const ab = i32x4.shuffle(va, vb, 0, 4, 1, 5);
          const cd = i32x4.shuffle(vc, vd, 0, 4, 1, 5);
          const ab2 = i32x4.shuffle(va, vb, 2, 6, 3, 7);
          const cd2 = i32x4.shuffle(vc, vd, 2, 6, 3, 7);
          v128.store(out, i32x4.shuffle(ab, cd, 0, 1, 4, 5));
          v128.store(out + yCell, i32x4.shuffle(ab, cd, 2, 3, 6, 7));
          v128.store(out + 2 * yCell, i32x4.shuffle(ab2, cd2, 0, 1, 4, 5));
          v128.store(out + 3 * yCell, i32x4.shuffle(ab2, cd2, 2, 3, 6, 7));
        }
        for (; i < bytes; i += 4, out += yCell) {
          store<f32>(out, load<f32>(a + i));
          store<f32>(out, load<f32>(b + i), 4);
          store<f32>(out, load<f32>(c + i), 8);
          store<f32>(out, load<f32>(d + i), 12);
        }
      }
  }
}

/** The way back. */
export function separate(
  y: usize, ySample: usize, x: usize, xPlane: usize, xRow: usize, xCell: usize,
  lanes: i32, planes: i32, rows: i32, columns: i32,
): void {
  const bytes = <usize>columns << 2;
  const vectors = bytes & ~15;
  for (let lane = 0; lane < lanes; lane += 4) {
    let a = y + <usize>lane * ySample;
    for (let plane = 0; plane < planes; plane++)
      for (let row = 0; row < rows; row++, a += bytes) {
        const b = a + ySample;
        const c = b + ySample;
        const d = c + ySample;
        let from = x + <usize>plane * xPlane + <usize>row * xRow + (<usize>lane << 2);
        let i: usize = 0;
        for (; i < vectors; i += 16, from += xCell << 2) {
          const va = v128.load(from);
          const vb = v128.load(from + xCell);
          const vc = v128.load(from + 2 * xCell);
          const vd = v128.load(from + 3 * xCell);
          const ab = i32x4.shuffle(va, vb, 0, 4, 1, 5);
          const cd = i32x4.shuffle(vc, vd, 0, 4, 1, 5);
          const ab2 = i32x4.shuffle(va, vb, 2, 6, 3, 7);
          const cd2 = i32x4.shuffle(vc, vd, 2, 6, 3, 7);
          v128.store(a + i, i32x4.shuffle(ab, cd, 0, 1, 4, 5));
          v128.store(b + i, i32x4.shuffle(ab, cd, 2, 3, 6, 7));
          v128.store(c + i, i32x4.shuffle(ab2, cd2, 0, 1, 4, 5));
          v128.store(d + i, i32x4.shuffle(ab2, cd2, 2, 3, 6, 7));
        }
        for (; i < bytes; i += 4, from += xCell) {
          store<f32>(a + i, load<f32>(from));
          store<f32>(b + i, load<f32>(from, 4));
          store<f32>(c + i, load<f32>(from, 8));
          store<f32>(d + i, load<f32>(from, 12));
        }
      }
  }
}

/** Bytes from which on `memory.copy`, which leaves the module, is worth the call. */
const LONG: usize = 512;

/** Copies cells [planes, rows, columns] between two arrays with steps of their own. */
export function copyCells(
  y: usize, yPlane: usize, yRow: usize, yCell: usize,
  x: usize, xPlane: usize, xRow: usize, xCell: usize,
  planes: i32, rows: i32, columns: i32, lanes: i32,
): void {
  const bytes = <usize>lanes << 2;
  const whole = yCell == bytes && xCell == bytes;
  const length = bytes * columns;
  const vectors = length & ~15;
  for (let plane = 0; plane < planes; plane++)
    for (let row = 0; row < rows; row++) {
      let to = y + <usize>plane * yPlane + <usize>row * yRow;
      let from = x + <usize>plane * xPlane + <usize>row * xRow;
      if (whole && length < LONG) {
        let i: usize = 0;
        for (; i < vectors; i += 16) v128.store(to + i, v128.load(from + i));
        for (; i < length; i += 4) store<f32>(to + i, load<f32>(from + i));
      } else if (whole) memory.copy(to, from, length);
      else if (lanes == 1)
        for (let c = 0; c < columns; c++, to += yCell, from += xCell) store<f32>(to, load<f32>(from));
      else
        for (let c = 0; c < columns; c++, to += yCell, from += xCell)
          for (let b: usize = 0; b < bytes; b += 16) v128.store(to + b, v128.load(from + b));
    }
}

/** y = limited(a + b) over rows of `length` numbers. */
export function addRows(
  y: usize, yPlane: usize, yRow: usize,
  a: usize, aPlane: usize, aRow: usize,
  b: usize, bPlane: usize, bRow: usize,
  planes: i32, rows: i32, length: i32, low: f32, high: f32,
): void {
  const l = f32x4.splat(low);
  const h = f32x4.splat(high);
  const vectors = <usize>(length & ~3) << 2;
  const bytes = <usize>length << 2;
  for (let plane = 0; plane < planes; plane++)
    for (let row = 0; row < rows; row++) {
      const to = y + <usize>plane * yPlane + <usize>row * yRow;
      const p = a + <usize>plane * aPlane + <usize>row * aRow;
      const q = b + <usize>plane * bPlane + <usize>row * bRow;
      let i: usize = 0;
      for (; i < vectors; i += 16)
        v128.store(to + i, f32x4.pmin(f32x4.pmax(f32x4.add(v128.load(p + i), v128.load(q + i)), l), h));
      for (; i < bytes; i += 4)
        store<f32>(to + i, min(max(load<f32>(p + i) + load<f32>(q + i), low), high));
    }
}

/** y = limited(x · factor + offset), one factor and offset a plane. */
export function affineRows(
  y: usize, yPlane: usize, yRow: usize,
  x: usize, xPlane: usize, xRow: usize,
  factor: usize, offset: usize,
  planes: i32, rows: i32, length: i32, low: f32, high: f32,
): void {
  const l = f32x4.splat(low);
  const h = f32x4.splat(high);
  const vectors = <usize>(length & ~3) << 2;
  const bytes = <usize>length << 2;
  for (let plane = 0; plane < planes; plane++) {
    const channel = <usize>plane << 2;
    const f = v128.load32_splat(factor + channel);
    const o = v128.load32_splat(offset + channel);
    const f1 = load<f32>(factor + channel);
    const o1 = load<f32>(offset + channel);
    for (let row = 0; row < rows; row++) {
      const to = y + <usize>plane * yPlane + <usize>row * yRow;
      const p = x + <usize>plane * xPlane + <usize>row * xRow;
      let i: usize = 0;
      for (; i < vectors; i += 16)
        v128.store(to + i, f32x4.pmin(f32x4.pmax(f32x4.add(f32x4.mul(v128.load(p + i), f), o), l), h));
      for (; i < bytes; i += 4) store<f32>(to + i, min(max(load<f32>(p + i) * f1 + o1, low), high));
    }
  }
}

/** Pooling. A window's cells outside the input do not count: for the average, only where `whole` is 0. */
export function pool(
  y: usize, yPlane: usize, yRow: usize,
  x: usize, xPlane: usize, xRow: usize,
  planes: i32, lanes: i32, average: bool, whole: i32,
  height: i32, width: i32, yHeight: i32, yWidth: i32,
  kernelHeight: i32, kernelWidth: i32, strideY: i32, strideX: i32,
  dilationY: i32, dilationX: i32, top: i32, left: i32,
): void {
  const cell = <usize>lanes << 2;
  const stepX = <usize>dilationX * cell;
  const stepY = <usize>dilationY * xRow;
  // Columns of y whose windows lie inside.
  const inside = (left + strideX - 1) / strideX;
  const room = width + left - 1 - (kernelWidth - 1) * dilationX;
  const beyond = room < 0 ? inside : max(inside, min(yWidth, room / strideX + 1));
  for (let plane = 0; plane < planes; plane++)
    for (let oy = 0; oy < yHeight; oy++) {
      const y0 = oy * strideY - top;
      const kyFrom = y0 < 0 ? (dilationY - 1 - y0) / dilationY : 0;
      const rows = min(kernelHeight, (height - y0 + dilationY - 1) / dilationY) - kyFrom;
      const row = x + <usize>plane * xPlane + <usize>(y0 + kyFrom * dilationY) * xRow;
      const out = y + <usize>plane * yPlane + <usize>oy * yRow;
      const pairs = rows == 2 && kernelWidth == 2;
      const singles = lanes == 1 && pairs && strideX == 2 && dilationX == 1;
      for (let ox = 0; ox < yWidth; ox++) {
        const x0 = ox * strideX - left;
        let kxFrom = 0;
        let kxTo = kernelWidth;
        if (ox < inside || ox >= beyond) {
          if (x0 < 0) kxFrom = (dilationX - 1 - x0) / dilationX;
          kxTo = min(kernelWidth, (width - x0 + dilationX - 1) / dilationX);
        }
        const corner = row + <usize>(x0 + kxFrom * dilationX) * cell;
        const to = out + <usize>ox * cell;
        if (!average && ox == inside && (lanes > 1 || singles)) {
          const count = singles ? (beyond - ox) & ~3 : beyond - ox;
          if (singles) largestOfSingles(to, corner, count, stepY);
          else if (pairs) largestOfFour(to, corner, count, cell, <usize>strideX * cell, stepX, stepY);
          else largest(to, corner, count, cell, <usize>strideX * cell, stepX, stepY, kernelWidth, rows);
          if (count > 0) {
            ox += count - 1;
            continue;
          }
        }
        const columns = kxTo - kxFrom;
        const divisor = f32x4.splat(<f32>(whole ? whole : rows * columns));
        for (let lane: usize = 0; lane < cell; lane += 16) {
          let result = f32x4.splat(average ? 0 : -Infinity);
          let p = corner + lane;
          for (let ky = 0; ky < rows; ky++, p += stepY) {
            let q = p;
            for (let kx = 0; kx < columns; kx++, q += stepX)
              result = average ? f32x4.add(result, v128.load(q)) : f32x4.pmax(result, v128.load(q));
          }
          if (average) result = f32x4.div(result, divisor);
          if (lanes == 1) store<f32>(to, f32x4.extract_lane(result, 0));
          else v128.store(to + lane, result);
        }
      }
    }
}

/** `count` neighbouring cells of a maximum over windows of `columns` by `rows` cells. */
function largest(
  y: usize, x: usize, count: i32, cell: usize, xStep: usize, stepX: usize, stepY: usize, columns: i32, rows: i32,
): void {
  for (const end = y + <usize>count * cell; y < end; y += cell, x += xStep)
    for (let lane: usize = 0; lane < cell; lane += 16) {
      let result = f32x4.splat(-Infinity);
      let p = x + lane;
      for (let ky = 0; ky < rows; ky++, p += stepY) {
        let q = p;
        for (let kx = 0; kx < columns; kx++, q += stepX) result = f32x4.pmax(result, v128.load(q));
      }
      v128.store(y + lane, result);
    }
}

/** The same for windows of 2×2 cells. */
function largestOfFour(
  y: usize, x: usize, count: i32, cell: usize, xStep: usize, stepX: usize, stepY: usize,
): void {
  const least = f32x4.splat(-Infinity);
  for (const end = y + <usize>count * cell; y < end; y += cell, x += xStep)
    for (let lane: usize = 0; lane < cell; lane += 16) {
      const p = x + lane;
      const above = f32x4.pmax(f32x4.pmax(least, v128.load(p)), v128.load(p + stepX));
      const q = p + stepY;
      v128.store(y + lane, f32x4.pmax(f32x4.pmax(above, v128.load(q)), v128.load(q + stepX)));
    }
}

/** The same for windows of 2×2 single numbers that lie side by side, for a multiple of four. */
function largestOfSingles(y: usize, x: usize, count: i32, stepY: usize): void {
  const least = f32x4.splat(-Infinity);
  for (const end = y + (<usize>count << 2); y < end; y += 16, x += 32) {
    const q = x + stepY;
    const a = f32x4.pmax(f32x4.pmax(least, v128.load(x)), v128.load(q));
    const b = f32x4.pmax(f32x4.pmax(least, v128.load(x, 16)), v128.load(q, 16));
    v128.store(y, f32x4.pmax(i32x4.shuffle(a, b, 0, 2, 4, 6), i32x4.shuffle(a, b, 1, 3, 5, 7)));
  }
}
