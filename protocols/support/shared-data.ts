import { join } from "node:path";
import { ROOT } from "./results.ts";

/** The folder of real data beside a checkout; FILIGREE_SHARED names another. */
export const SHARED_DATA = join(process.env.FILIGREE_SHARED ?? join(ROOT, "../shared"), "data");
