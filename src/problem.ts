/**
 * An error that is the user's to mend: bad input, a missing file, an impossible request. Its message is one line that
 * says what is wrong, where, and what to do; commands print it without a stack trace.
 */
export class Problem extends Error {
  override name = "Problem";
}

/** What the user stopped, where there is nothing to give back; the message says how to go on. */
export class Stopped extends Problem {
  override name = "Stopped";
}
