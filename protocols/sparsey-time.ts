/** sparsey.md P11: processor time to recognise one item by how many are stored; the control searches through a list. */

import { writeResults } from "./support/results.ts";
import { timePerItem } from "./support/sparsey/fixed-time.ts";

const microsecondsPerItem = timePerItem(0, [100, 1000, 10_000, 100_000]);
console.table(microsecondsPerItem);
await writeResults("sparsey-time", "npm run protocol -- sparsey-time", { microsecondsPerItem });
