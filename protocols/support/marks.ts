/** A claim with what was found. */
export interface Mark {
  claim: string;
  passed: boolean;
}

/** Prints each claim with its outcome; a claim that does not hold makes the command fail. */
export function reportMarks(marks: readonly Mark[]): void {
  for (const { claim, passed } of marks) console.log(`${passed ? "pass" : "FAIL"}  ${claim}`);
  if (!marks.every((m) => m.passed)) process.exitCode = 1;
}
