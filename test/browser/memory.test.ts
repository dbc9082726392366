import { readFile } from "node:fs/promises";
import { createServer } from "node:http";
import type { AddressInfo } from "node:net";
import { join } from "node:path";
import { chromium } from "playwright-core";
import { afterAll, beforeAll, expect, test } from "vitest";
import * as filigree from "../../src/memory/index.ts";
import { build } from "../cli/support.ts";
import { browserPath } from "./chromium.ts";
import { memoryWork } from "./memory-work.ts";

const root = join(import.meta.dirname, "../..");

/** What a memory is made of. */
const OWN = ["/memory/", "/kernels/", "/data/", "/linalg/", "/engine/tensor.js", "/problem.js", "/random.js"];

const served: string[] = [];
/** The compiled files as they are, nothing bundled; the page is cross-origin isolated, so that threads may share memory. */
const server = createServer(async (request, response) => {
  const path = new URL(request.url!, "http://localhost").pathname;
  served.push(path);
  const body =
    path === "/" ? "<!doctype html>" : await readFile(join(root, "dist", path)).catch(() => undefined);
  response
    .writeHead(body === undefined ? 404 : 200, {
      "content-type": path === "/" ? "text/html" : "text/javascript",
      "cross-origin-opener-policy": "same-origin",
      "cross-origin-embedder-policy": "require-corp",
    })
    .end(body);
});

beforeAll(async () => {
  if (!browserPath) return;
  await build();
  await new Promise<void>((done) => server.listen(0, "127.0.0.1", done));
});
afterAll(() => server.close());

test.skipIf(!browserPath)(
  "a memory in Chromium, imported without a bundler: codes, familiarities and saved bytes of Node, with one thread and with two",
  async () => {
    const browser = await chromium.launch({
      executablePath: browserPath,
      args: ["--no-sandbox", "--disable-gpu", "--disable-background-networking"],
    });
    try {
      const page = await browser.newPage();
      await page.goto(`http://127.0.0.1:${(server.address() as AddressInfo).port}/`, { timeout: 120_000 });
      const here = await memoryWork(filigree, 1);
      for (const threads of [1, 2]) {
        const there = await page.evaluate(
          `import("/memory/index.js").then((filigree) => (${memoryWork})(filigree, ${threads}))`,
        );
        expect(there).toEqual(here);
      }
      // Control: other patterns give other codes.
      expect((await memoryWork(filigree, 1, 2)).codes).not.toEqual(here.codes);
      // Nothing of the engine is fetched.
      expect(served).toContain("/memory/memory.js");
      const others = served.filter((path) => !OWN.some((own) => path.startsWith(own)));
      expect(others.filter((path) => path !== "/" && path !== "/favicon.ico")).toEqual([]);
    } finally {
      await browser.close();
    }
  },
);
