import { existsSync } from "node:fs";

/** Where Chromium is on this machine; undefined, with a warning, where there is none. */
export const browserPath = [
  process.env.FILIGREE_CHROMIUM,
  "/usr/bin/chromium",
  "/usr/bin/google-chrome",
  "/usr/bin/chromium-browser",
].find((p) => p && existsSync(p));
if (!browserPath)
  console.warn("No Chromium found (set FILIGREE_CHROMIUM to one): the browser test is skipped.");
