/** A command line that can be pasted into a shell: words with spaces and the like in quotes. */
export function shellLine(words: readonly string[]): string {
  return words
    .map((word) => (/^[\p{L}\p{N}_@%+=:,./-]+$/u.test(word) ? word : `'${word.replaceAll("'", "'\\''")}'`))
    .join(" ");
}
