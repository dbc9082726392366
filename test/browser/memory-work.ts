type Filigree = typeof import("../../src/memory/index.ts");

/**
 * Codes and familiarities of patterns and sequences, the bytes of the saved memories, and a replay: what Node and browsers
 * must agree on. Names nothing outside itself, so that it can be sent to a page as text.
 */
export async function memoryWork(
  { createMemory, memoryFromBytes, patchFields }: Filigree,
  threads: number,
  seed = 1,
) {
  let state = seed;
  const draw = (below: number) => {
    state = (Math.imul(state, 1664525) + 1013904223) >>> 0;
    return Math.floor((state / 2 ** 32) * below);
  };
  const pattern = (inputs: number, size: number) => {
    const active = new Set<number>();
    while (active.size < size) active.add(draw(inputs));
    return Array.from(active);
  };
  const memories = [
    createMemory({ inputs: 144, seed: 1 }),
    createMemory({
      inputs: 144,
      preset: "classic",
      levels: [
        { fields: patchFields({ columns: 12, rows: 12 }, { size: 6, stride: 6 }), q: 5, k: 12 },
        { q: 9, k: 10 },
      ],
    }),
    // So much to add up that threads are woken.
    createMemory({ inputs: 4096, levels: [{ q: 32, k: 256 }], rules: { freezeAt: null } }),
  ];
  const codes: number[][] = [];
  const familiarities: (number | undefined)[] = [];
  const bytes: number[][] = [];
  for (const memory of memories) {
    await memory.useThreads(threads);
    const { inputs } = memory.options;
    const small = inputs === 144;
    const size = small ? 12 : 1500;
    const items = Array.from({ length: small ? 40 : 8 }, () => pattern(inputs, size));
    for (const item of items) codes.push(Array.from(memory.learn(item, { label: String(item[0] % 2) }).code));
    for (const frame of memory.learnSequence(items.slice(0, 6))) codes.push(Array.from(frame.code));
    for (const item of items) {
      const { code, familiarity } = memory.recognize(
        [...item.slice(0, 0.75 * size), (item[0.75 * size] + 1) % inputs].filter(
          (j, i, all) => all.indexOf(j) === i,
        ),
      );
      codes.push(Array.from(code));
      familiarities.push(familiarity);
    }
    // Of a large memory the checksum at the end of the file will do.
    const saved = memory.toBytes();
    bytes.push(Array.from(small ? saved : saved.subarray(-4)));
    await memory.useThreads(1);
  }
  const again = memoryFromBytes(Uint8Array.from(bytes[0]));
  return { codes, familiarities, bytes, scores: again.classify([1, 2, 3]).scores };
}
