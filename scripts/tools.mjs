// `npm run bench -- <name> [options]` and `npm run protocol -- <name> [options]`: compiles bench/ and protocols/ and runs one of them.
import { spawnSync } from "node:child_process";
import { existsSync, readdirSync } from "node:fs";
import { dirname, join } from "node:path";
import { fileURLToPath } from "node:url";

const root = join(dirname(fileURLToPath(import.meta.url)), "..");
const [folder, name, ...rest] = process.argv.slice(2);
const names = readdirSync(join(root, folder))
  .filter((f) => f.endsWith(".ts"))
  .map((f) => f.slice(0, -3));
if (!name || !names.includes(name)) {
  console.error(
    `Name one of: ${names.join(", ")}. Example: npm run ${folder === "bench" ? "bench" : "protocol"} -- ${names[0]}`,
  );
  process.exit(2);
}
const run = (args, options) =>
  spawnSync(process.execPath, args, { cwd: root, stdio: "inherit", ...options }).status ?? 1;
if (!existsSync(join(root, "node_modules"))) {
  const status = run([join(root, "scripts", "prepare.mjs")]);
  if (status !== 0) process.exit(status);
}
for (const step of [
  [join(root, "scripts", "kernels.mjs")],
  [join(root, "node_modules", "typescript", "bin", "tsc"), "-p", "tsconfig.tools.json"],
]) {
  const status = run(step, { stdio: ["ignore", 2, 2] });
  if (status !== 0) process.exit(status);
}
process.exit(run([join(root, "build", folder, `${name}.js`), ...rest]));
