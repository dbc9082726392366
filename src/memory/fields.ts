import { Problem } from "../problem.ts";

/** A grid of units, numbered row by row. */
export interface Grid {
  columns: number;
  rows: number;
}

/**
 * Receptive fields that tile a grid with square patches, row by row: `size` places a side, `stride` apart, none beyond
 * the edge. A place has `channels` inputs, one behind the other.
 */
export function patchFields(
  grid: Grid,
  { size, stride, channels = 1 }: { size: number; stride: number; channels?: number },
): number[][] {
  if (size > grid.columns || size > grid.rows || size < 1 || stride < 1)
    throw new Problem(
      `memory: patches of size ${size} and stride ${stride} do not fit ${grid.columns}×${grid.rows} units`,
    );
  const fields: number[][] = [];
  for (let top = 0; top + size <= grid.rows; top += stride)
    for (let left = 0; left + size <= grid.columns; left += stride)
      fields.push(
        Array.from({ length: size * size * channels }, (_, i) => {
          const place = Math.floor(i / channels);
          const at = (top + Math.floor(place / size)) * grid.columns + left + (place % size);
          return at * channels + (i % channels);
        }),
      );
  return fields;
}

/** Of every mac of a grid the others within `reach` columns and rows, as the crow flies. */
export function neighbourMacs({ columns, rows }: Grid, { reach = 1 }: { reach?: number } = {}): number[][] {
  const place = (mac: number) => [mac % columns, Math.floor(mac / columns)];
  const macs = Array.from({ length: columns * rows }, (_, mac) => mac);
  return macs.map((mac) => {
    const [x, y] = place(mac);
    return macs.filter((other) => {
      const [column, row] = place(other);
      return other !== mac && Math.hypot(column - x, row - y) <= reach;
    });
  });
}

/**
 * Receptive fields by distance: both grids span the unit square, and a unit of `to` sees the units of `from` within
 * `radius`. `hexagonal` shifts every other row of `to` by half a column.
 */
export function radiusFields(
  from: Grid,
  to: Grid,
  { radius, hexagonal = false }: { radius: number; hexagonal?: boolean },
): number[][] {
  const place = (i: number, n: number) => (n === 1 ? 0.5 : i / (n - 1));
  const fields: number[][] = [];
  for (let row = 0; row < to.rows; row++)
    for (let column = 0; column < to.columns; column++) {
      const x = place(column + (hexagonal && row % 2 === 1 ? 0.5 : 0), to.columns);
      const y = place(row, to.rows);
      const field: number[] = [];
      for (let i = 0; i < from.columns * from.rows; i++) {
        const dx = place(i % from.columns, from.columns) - x;
        const dy = place(Math.floor(i / from.columns), from.rows) - y;
        if (Math.hypot(dx, dy) <= radius) field.push(i);
      }
      if (field.length === 0)
        throw new Problem(
          `memory: nothing lies within ${radius} of column ${column}, row ${row}; enlarge the radius`,
        );
      fields.push(field);
    }
  return fields;
}
