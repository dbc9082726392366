/** How a packed model (.flg) of any version begins; its format is in `sparsity/encoding/packed-model.ts`. */
export const PACKED_MAGIC = Uint8Array.of(0x89, 0x46, 0x4c, 0x47, 0x50, 0x41, 0x4b);

/** Whether bytes begin like a packed model, of any version. */
export function isPacked(bytes: Uint8Array): boolean {
  return PACKED_MAGIC.every((b, i) => bytes[i] === b);
}
