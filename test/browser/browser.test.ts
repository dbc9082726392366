import { existsSync } from "node:fs";
import { mkdtemp, readFile, rm } from "node:fs/promises";
import { createServer } from "node:http";
import type { AddressInfo } from "node:net";
import { tmpdir } from "node:os";
import { extname, join } from "node:path";
import { chromium } from "playwright-core";
import { build } from "vite";
import { afterAll, beforeAll, expect, test } from "vitest";
import { tenSteps } from "./ten-steps.ts";

const root = join(import.meta.dirname, "../..");
const browserPath = [
  process.env.FILIGREE_CHROMIUM,
  "/usr/bin/chromium",
  "/usr/bin/google-chrome",
  "/usr/bin/chromium-browser",
].find((p) => p && existsSync(p));
if (!browserPath)
  console.warn("No Chromium found (set FILIGREE_CHROMIUM to one): the browser test is skipped.");

const types: Record<string, string> = {
  ".html": "text/html",
  ".js": "text/javascript",
  ".mjs": "text/javascript",
  ".wasm": "application/wasm",
};

let folder: string;
const server = createServer(async (request, response) => {
  const path = new URL(request.url!, "http://localhost").pathname;
  const file = path.startsWith("/ort/")
    ? join(root, "node_modules/onnxruntime-web/dist", path.slice(5))
    : join(folder, path);
  try {
    const body =
      path === "/" ? '<!doctype html><script type="module" src="/page.js"></script>' : await readFile(file);
    response.writeHead(200, {
      "content-type": types[extname(path === "/" ? "/x.html" : path)] ?? "application/octet-stream",
    });
    response.end(body);
  } catch {
    response.writeHead(404).end();
  }
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
  await new Promise<void>((done) => server.listen(0, "127.0.0.1", done));
}, 120_000);

afterAll(async () => {
  server.close();
  if (folder) await rm(folder, { recursive: true, force: true });
});

/** Flags of Chromium for each device; WebGPU runs in software. */
const flags = {
  wasm: ["--disable-gpu"],
  webgpu: ["--enable-unsafe-webgpu", "--use-webgpu-adapter=swiftshader", "--enable-features=Vulkan"],
};

test.skipIf(!browserPath).for(["wasm", "webgpu"] as const)(
  "ten training steps in Chromium (%s) give the losses of Node to 1e-4",
  { timeout: 240_000 },
  async (device, { skip }) => {
    const browser = await chromium.launch({
      executablePath: browserPath,
      args: ["--no-sandbox", "--disable-background-networking", ...flags[device]],
    });
    try {
      const page = await browser.newPage();
      const problems: string[] = [];
      page.on("pageerror", (e) => problems.push(e.message));
      await page.goto(`http://127.0.0.1:${(server.address() as AddressInfo).port}/`);
      await page
        .waitForFunction(() => "tenSteps" in window, undefined, { timeout: 30_000 })
        .catch(() => expect(problems).toEqual([]));
      if (device === "webgpu" && !(await page.evaluate(() => window.hasAdapter())))
        skip("this Chromium offers no WebGPU adapter");
      const there = await page.evaluate((d) => window.tenSteps(d), device);
      const here = await tenSteps();
      expect(there).toHaveLength(10);
      expect(here[9]).toBeLessThan(here[0]);
      for (let i = 0; i < 10; i++) expect(Math.abs(there[i] - here[i])).toBeLessThan(1e-4);
    } finally {
      await browser.close();
    }
  },
);
