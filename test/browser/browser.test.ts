import { mkdtemp, readFile, rm } from "node:fs/promises";
import { createServer } from "node:http";
import type { AddressInfo } from "node:net";
import { tmpdir } from "node:os";
import { extname, join } from "node:path";
import type { Page } from "playwright-core";
import { chromium } from "playwright-core";
import { build } from "vite";
import { afterAll, beforeAll, expect, test } from "vitest";
import { browserPath } from "./chromium.ts";
import { sparseOutputs } from "./sparse-session.ts";
import { tenSteps } from "./ten-steps.ts";

const root = join(import.meta.dirname, "../..");

const types: Record<string, string> = {
  ".html": "text/html",
  ".js": "text/javascript",
  ".mjs": "text/javascript",
  ".wasm": "application/wasm",
};

let folder: string;
/** Serves the page, ONNX Runtime and what the build made, with these headers. */
const serverWith = (headers: Record<string, string>) =>
  createServer(async (request, response) => {
    const path = new URL(request.url!, "http://localhost").pathname;
    const file = path.startsWith("/ort/")
      ? join(root, "node_modules/onnxruntime-web/dist", path.slice(5))
      : join(folder, path);
    try {
      const body =
        path === "/" ? '<!doctype html><script type="module" src="/page.js"></script>' : await readFile(file);
      response.writeHead(200, {
        ...headers,
        "content-type": types[extname(path === "/" ? "/x.html" : path)] ?? "application/octet-stream",
      });
      response.end(body);
    } catch {
      response.writeHead(404).end();
    }
  });
const server = serverWith({});
/** Pages from here are cross-origin isolated, so that threads may share memory. */
const isolated = serverWith({
  "cross-origin-opener-policy": "same-origin",
  "cross-origin-embedder-policy": "require-corp",
});

beforeAll(async () => {
  if (!browserPath) return;
  folder = await mkdtemp(join(tmpdir(), "filigree-browser-"));
  await build({
    root,
    logLevel: "error",
    configFile: false,
    build: {
      outDir: folder,
      lib: { entry: join(import.meta.dirname, "page.ts"), formats: ["es"], fileName: () => "page.js" },
      minify: false,
    },
  });
  for (const s of [server, isolated]) await new Promise<void>((done) => s.listen(0, "127.0.0.1", done));
});

afterAll(async () => {
  server.close();
  isolated.close();
  if (folder) await rm(folder, { recursive: true, force: true });
});

/** Flags of Chromium for each device; WebGPU runs in software. */
const flags = {
  wasm: ["--disable-gpu"],
  webgpu: ["--enable-unsafe-webgpu", "--use-webgpu-adapter=swiftshader", "--enable-features=Vulkan"],
};

/** A browser beside other work on two cores may take a minute to start. */
const PATIENCE = { timeout: 120_000 };

/** Opens the page in a browser of its own and does something there. */
async function inPage<T>(
  at: typeof server,
  args: readonly string[],
  work: (page: Page) => Promise<T>,
): Promise<T> {
  const browser = await chromium.launch({
    executablePath: browserPath,
    args: ["--no-sandbox", "--disable-background-networking", ...args],
  });
  try {
    const page = await browser.newPage();
    const problems: string[] = [];
    page.on("pageerror", (e) => problems.push(e.message));
    await page.goto(`http://127.0.0.1:${(at.address() as AddressInfo).port}/`, PATIENCE);
    await page
      .waitForFunction(() => "tenSteps" in window, undefined, PATIENCE)
      .catch(() => expect(problems).toEqual([]));
    return await work(page);
  } finally {
    await browser.close();
  }
}

test.skipIf(!browserPath).for(["wasm", "webgpu"] as const)(
  "ten training steps in Chromium (%s) give the losses of Node to 1e-4",
  async (device, { skip }) => {
    const there = await inPage(server, flags[device], async (page) => {
      if (device === "webgpu" && !(await page.evaluate(() => window.hasAdapter())))
        skip("this Chromium offers no WebGPU adapter");
      return page.evaluate((d) => window.tenSteps(d), device);
    });
    const here = await tenSteps();
    expect(there).toHaveLength(10);
    expect(here[9]).toBeLessThan(here[0]);
    for (let i = 0; i < 10; i++) expect(Math.abs(there[i] - here[i])).toBeLessThan(1e-4);
  },
);

test.skipIf(!browserPath)(
  "a sparse session in Chromium gives the outputs of Node, with one thread and with two",
  async () => {
    const cases = [1, 6].flatMap((batch) => [false, true].map((hybrid) => ({ batch, hybrid })));
    const there = (at: typeof server) =>
      inPage(at, flags.wasm, (page) =>
        page.evaluate(async (all) => {
          const results = [];
          for (const { batch, hybrid } of all)
            for (const threads of [1, 2]) results.push(await window.sparseOutputs(batch, threads, hybrid));
          return results;
        }, cases),
      );
    const [alone, shared] = [await there(server), await there(isolated)];
    // Pages that are not isolated cannot share memory: there the kernels use one thread.
    expect(alone.map((r) => r.kernelThreads)).toEqual(alone.map(() => 1));
    expect(shared.map((r) => r.kernelThreads)).toEqual(cases.flatMap(() => [1, 2]));
    for (const [i, { batch, hybrid }] of cases.entries()) {
      const { outputs } = await sparseOutputs(batch, 1, hybrid);
      const other = await sparseOutputs(batch === 1 ? 6 : 1, 1, hybrid);
      expect(new Set(outputs).size).toBeGreaterThan(5);
      for (const found of [alone[2 * i], alone[2 * i + 1], shared[2 * i], shared[2 * i + 1]]) {
        expect(found.outputs).toHaveLength(outputs.length);
        // Chromium has fused multiply–add, Node.js 20 has not.
        found.outputs.forEach((v, at) => expect(Math.abs(v - outputs[at])).toBeLessThan(1e-5));
      }
      // One thread and two: the same bits. Control: outputs of other inputs are not.
      expect(shared[2 * i + 1].outputs).toEqual(shared[2 * i].outputs);
      expect(shared[2 * i].outputs.slice(0, 10)).not.toEqual(other.outputs.slice(0, 10));
    }
  },
);
