/**
 * Average linkage on 1 − agreement: merges the two closest groups until `count` are left. Returns the group of each
 * item, numbered by first appearance. Cost O(n³): for looking at hundreds of codes.
 *
 * `similarity` gives the similarity of items i and j.
 */
export function averageLinkage(
  items: number,
  count: number,
  similarity: (i: number, j: number) => number,
): number[] {
  let groups = Array.from({ length: items }, (_, i) => [i]);
  const near = Array.from({ length: items }, (_, i) =>
    Float64Array.from({ length: items }, (_, j) => similarity(i, j)),
  );
  while (groups.length > Math.max(1, count)) {
    let best = Number.NEGATIVE_INFINITY;
    let pair = [0, 1];
    for (let a = 0; a < groups.length; a++)
      for (let b = a + 1; b < groups.length; b++) {
        let sum = 0;
        for (const i of groups[a]) for (const j of groups[b]) sum += near[i][j];
        const mean = sum / (groups[a].length * groups[b].length);
        if (mean > best) {
          best = mean;
          pair = [a, b];
        }
      }
    const [a, b] = pair;
    const merged = [...groups[a], ...groups[b]];
    groups = groups.flatMap((group, g) => (g === a ? [merged] : g === b ? [] : [group]));
  }
  const groupOf = new Array<number>(items);
  for (const [g, members] of groups.entries()) for (const i of members) groupOf[i] = g;
  return groupOf;
}
