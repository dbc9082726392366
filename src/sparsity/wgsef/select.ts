/**
 * The value that would stand at index `rank` if `values[from .. to)` were sorted ascending. Reorders the range; linear
 * time in the worst case, by medians of medians of five (Blum, Floyd, Pratt, Rivest, Tarjan 1973).
 */
export function selectNth(values: Float64Array, from: number, to: number, rank: number): number {
  while (to - from > 5) {
    let medians = from;
    for (let i = from; i + 5 <= to; i += 5) {
      insertionSort(values, i, i + 5);
      swap(values, medians++, i + 2);
    }
    const pivot = selectNth(values, from, medians, (from + medians) >> 1);
    let less = from;
    let greater = to;
    for (let i = from; i < greater; ) {
      const v = values[i];
      if (v < pivot) swap(values, less++, i++);
      else if (v > pivot) swap(values, --greater, i);
      else i++;
    }
    if (rank < less) to = less;
    else if (rank >= greater) from = greater;
    else return pivot;
  }
  insertionSort(values, from, to);
  return values[rank];
}

function swap(values: Float64Array, i: number, j: number): void {
  const v = values[i];
  values[i] = values[j];
  values[j] = v;
}

function insertionSort(values: Float64Array, from: number, to: number): void {
  for (let i = from + 1; i < to; i++) {
    const v = values[i];
    let j = i;
    for (; j > from && values[j - 1] > v; j--) values[j] = values[j - 1];
    values[j] = v;
  }
}
