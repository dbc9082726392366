import { createHash } from "node:crypto";
import {
  existsSync,
  mkdtempSync,
  readFileSync,
  rmSync,
  symlinkSync,
  utimesSync,
  writeFileSync,
} from "node:fs";
import { createServer, type IncomingMessage, type Server, type ServerResponse } from "node:http";
import type { AddressInfo } from "node:net";
import { hostname, tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, beforeEach, describe, expect, it } from "vitest";
import { download } from "../../src/data/download.node.ts";
import { Stopped } from "../../src/problem.ts";
import { random } from "../../src/random.ts";
import { expectProblemLater } from "./support.ts";

const rng = random(1);
const content = Buffer.from(Uint8Array.from({ length: 300_000 }, () => rng.integer(256)));
const file = {
  name: "set.bin",
  bytes: content.length,
  sha256: createHash("sha256").update(content).digest("hex"),
};

type Behaviour = (request: IncomingMessage, response: ServerResponse, offset: number) => void;

/** Sends `body` from the offset asked for, as far as `until`, then breaks the connection if that is not the end. */
function send(response: ServerResponse, body: Buffer, offset: number, until = body.length): void {
  const headers: Record<string, string> = { "content-length": `${body.length - offset}` };
  if (offset) headers["content-range"] = `bytes ${offset}-${body.length - 1}/${body.length}`;
  response.writeHead(offset ? 206 : 200, headers);
  response.write(body.subarray(offset, until), () => {
    if (until < body.length) response.destroy();
    else response.end();
  });
}

const good: Behaviour = (_, response, offset) => send(response, content, offset);

describe("download", () => {
  let dir: string;
  let servers: Server[];

  /** A mirror that behaves as told, and the offsets that were asked of it. */
  async function mirror(behaviour: Behaviour): Promise<{ url: string; offsets: number[] }> {
    const offsets: number[] = [];
    const server = createServer((request, response) => {
      const offset = Number(/^bytes=(\d+)-$/.exec(request.headers.range ?? "")?.[1] ?? 0);
      offsets.push(offset);
      behaviour(request, response, offset);
    });
    servers.push(server);
    await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
    return { url: `http://127.0.0.1:${(server.address() as AddressInfo).port}/`, offsets };
  }

  const target = () => join(dir, file.name);
  const expectComplete = () => {
    expect(readFileSync(target()).equals(content)).toBe(true);
    expect(existsSync(`${target()}.part`)).toBe(false);
    expect(existsSync(`${target()}.lock`)).toBe(false);
  };

  beforeEach(() => {
    dir = mkdtempSync(join(tmpdir(), "filigree-"));
    servers = [];
  });
  afterEach(() => {
    for (const server of servers) server.closeAllConnections();
    for (const server of servers) server.close();
    rmSync(dir, { recursive: true });
  });

  it("fetches once, then finds the file on disk", async () => {
    const { url, offsets } = await mirror(good);
    const seen: number[] = [];
    const onProgress = (_: string, bytes: number) => seen.push(bytes);
    expect(await download(file, [url], dir, { onProgress })).toBe(target());
    await download(file, [url], dir);
    expectComplete();
    expect(offsets).toEqual([0]);
    expect(seen.at(-1)).toBe(file.bytes);
  });

  it("goes on where a broken connection ended, as often as it breaks", async () => {
    const { url, offsets } = await mirror((_, response, offset) => {
      send(response, content, offset, Math.min(offset + 100_000, content.length));
    });
    await download(file, [url], dir);
    expectComplete();
    expect(offsets.length).toBeGreaterThanOrEqual(3);
    expect(offsets[1]).toBeGreaterThan(0);
    expect(offsets).toEqual([...offsets].sort((a, b) => a - b));
  });

  it("starts anew where the server ignores Range", async () => {
    let first = true;
    const { url, offsets } = await mirror((_, response) => {
      send(response, content, 0, first ? 100_000 : content.length);
      first = false;
    });
    await download(file, [url], dir);
    expectComplete();
    expect(offsets.length).toBe(2);
    expect(offsets[1]).toBeGreaterThan(0);
  });

  it("goes on from what an earlier call has left", async () => {
    writeFileSync(`${target()}.part`, content.subarray(0, 1234));
    const { url, offsets } = await mirror(good);
    await download(file, [url], dir);
    expectComplete();
    expect(offsets).toEqual([1234]);
  });

  it("recovers when what an earlier call has left is wrong, too long or already whole", async () => {
    const { url, offsets } = await mirror(good);
    for (const [left, asked] of [
      [Buffer.alloc(1234), [1234, 0]],
      [Buffer.alloc(content.length + 1), [0]],
      [Buffer.alloc(content.length), [0]],
      [content, []],
    ] as const) {
      rmSync(target(), { force: true });
      writeFileSync(`${target()}.part`, left);
      offsets.length = 0;
      await download(file, [url], dir);
      expectComplete();
      expect(offsets).toEqual(asked);
    }
  });

  it("goes to the next mirror after wrong bytes, an error page, too many bytes and a dead address", async () => {
    const wrong = Buffer.from(content);
    wrong[5] ^= 1;
    const bad = await mirror((_, response, offset) => send(response, wrong, offset));
    const missing = await mirror((_, response) => response.writeHead(404).end("not here"));
    const long = await mirror((_, response) =>
      response.writeHead(200).end(Buffer.concat([content, content])),
    );
    const dead = await mirror(good);
    await new Promise((resolve) => servers.at(-1)!.close(resolve));
    const last = await mirror(good);
    await download(file, [bad.url, missing.url, dead.url, long.url, last.url], dir);
    expectComplete();
    expect([bad, missing, dead, long].map((m) => m.offsets)).toEqual([[0], [0], [], [0]]);
    expect(last.offsets.length).toBeGreaterThan(0);
  });

  it("never gives the file its name when the bytes are wrong, and says what every mirror did", async () => {
    const bad = await mirror((_, response) => send(response, Buffer.alloc(content.length), 0));
    const missing = await mirror((_, response) => response.writeHead(503).end());
    const work = download(file, [bad.url, missing.url], dir);
    await expectProblemLater(work, /^set\.bin: cannot be downloaded \(http.*SHA-256\); http.*HTTP 503\)$/);
    expect(existsSync(target())).toBe(false);
    expect(existsSync(`${target()}.lock`)).toBe(false);
  });

  it("gives up a mirror that falls silent, for the next", async () => {
    const { url, offsets } = await mirror((_, response) => {
      response.writeHead(200);
      response.write(content.subarray(0, 10));
    });
    const work = download(file, [url, url], dir, { stallMs: 100 });
    await expectProblemLater(work, /silent for 100 ms; http.*silent for 100 ms\)$/);
    expect(offsets.length).toBeGreaterThan(0);
  });

  it("gives up a mirror that makes no progress", async () => {
    writeFileSync(`${target()}.part`, content.subarray(0, 10));
    const empty = await mirror((_, response) => response.writeHead(200).end());
    await expectProblemLater(download(file, [empty.url], dir), /\/: ends after \d+ of 300000 bytes/);
  });

  it("stops when it is told to, and a later call goes on", async () => {
    const { url, offsets } = await mirror((_, response, offset) => {
      if (offset > 0) return send(response, content, offset);
      response.writeHead(200);
      response.write(content.subarray(0, 1000));
    });
    const controller = new AbortController();
    const work = download(file, [url, url], dir, {
      signal: controller.signal,
      onProgress: () => controller.abort(),
    });
    await expect(work).rejects.toThrow(Stopped);
    await expect(work).rejects.toThrow(
      /^set\.bin: stopped; what has arrived stays, and the same command goes on/,
    );
    await download(file, [url], dir);
    expectComplete();
    expect(offsets).toEqual([0, 1000]);
  });

  it.skipIf(!existsSync("/dev/full"))("to a full disk says so, and blames no mirror", async () => {
    const { url, offsets } = await mirror(good);
    symlinkSync("/dev/full", `${target()}.part`);
    await expectProblemLater(
      download(file, [url, url], dir),
      /^cannot write .*set\.bin\.part: the disk is full; free some space and try again$/,
    );
    expect(offsets).toEqual([0]);
    expect(existsSync(`${target()}.lock`)).toBe(false);
  });

  it("downloads once for several that want it at once", async () => {
    const { url, offsets } = await mirror((_, response) => setTimeout(() => send(response, content, 0), 150));
    await Promise.all([1, 2, 3].map(() => download(file, [url], dir)));
    expectComplete();
    expect(offsets).toEqual([0]);
  });

  it("takes over the lock of a process that is gone, and of another machine only after a minute", async () => {
    const { url } = await mirror(good);
    const lock = `${target()}.lock`;
    // No process can have this number: it is above every system's limit.
    writeFileSync(lock, `${hostname()} 99999999 x`);
    await download(file, [url], dir);
    expectComplete();
    rmSync(target());
    writeFileSync(lock, "elsewhere 1 x");
    let done = false;
    const work = download(file, [url], dir).then(() => {
      done = true;
    });
    await new Promise((resolve) => setTimeout(resolve, 400));
    expect(done).toBe(false);
    utimesSync(lock, new Date(), new Date(Date.now() - 61_000));
    await work;
    expectComplete();
  });
});
