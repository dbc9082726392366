// Makes `npm test` and `npm run demo` work on a fresh clone: installs dependencies and compiles, where needed.
import { spawnSync } from "node:child_process";
import { createHash } from "node:crypto";
import { existsSync, readFileSync, writeFileSync } from "node:fs";
import { dirname, join } from "node:path";
import { fileURLToPath } from "node:url";

const root = join(dirname(fileURLToPath(import.meta.url)), "..");
const [major, minor] = process.versions.node.split(".").map(Number);
if (major < 20 || (major === 20 && minor < 19)) {
  console.error(`Filigree needs Node.js 20.19 or later; this is ${process.versions.node}.`);
  process.exit(1);
}

function run(command, args) {
  const { status } = spawnSync(command, args, {
    cwd: root,
    stdio: ["ignore", 2, 2],
    shell: process.platform === "win32",
  });
  if (status !== 0) process.exit(status ?? 1);
}

const lock = createHash("sha256")
  .update(readFileSync(join(root, "package-lock.json")))
  .digest("hex");
const stamp = join(root, "node_modules", ".filigree-lock");
if (!existsSync(stamp) || readFileSync(stamp, "utf8") !== lock) {
  console.error("Installing dependencies, which takes a minute or so …");
  run("npm", ["ci", "--loglevel=error"]);
  writeFileSync(stamp, lock);
}
const stale = !existsSync(join(root, "dist", ".tsbuildinfo"));
console.error(stale ? "Compiling …" : "Checking the build …");
run(process.execPath, [join(root, "scripts", "kernels.mjs")]);
run(process.execPath, [join(root, "node_modules", "typescript", "bin", "tsc"), "-p", "tsconfig.build.json"]);
