/**
 * How long something takes that was timed several times: the lower quartile. Whatever else a machine does only adds to
 * times. Where others take the processor away every few milliseconds, a run that is not much shorter than that is held up
 * more often than not, and a median would be the others' time.
 */
export function undisturbed(times: readonly number[]): number {
  return [...times].sort((a, b) => a - b)[times.length >> 2];
}
