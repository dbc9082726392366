import type { EpochRecord } from "../nn/trainer.ts";
import type { LayerOutcome } from "./k-anneal.ts";

/** Epochs that every layer has to keep its number, and the relative change of the loss, at which a fixed λ has done its work. */
const RESTING_EPOCHS = 5;
const RESTING_CHANGE = 1e-3;

/** Whether every layer has kept its number for five epochs and the loss has come to rest. */
export function atRest(
  history: readonly EpochRecord[],
  outcomes: readonly Pick<LayerOutcome, "natural" | "keep" | "epoch">[],
): boolean {
  const [last, previous] = [history.at(-1), history.at(-2)];
  if (!last || !previous || outcomes.length === 0) return false;
  const met = outcomes.every(
    ({ natural, keep, epoch }) => natural === keep && last.epoch + 1 - epoch >= RESTING_EPOCHS - 1,
  );
  return met && Math.abs(last.loss - previous.loss) < RESTING_CHANGE * Math.abs(previous.loss);
}
