// Compiles each kernels/<name>.ts (AssemblyScript) to src/kernels/<name>.wasm.ts, a module that holds the WebAssembly
// bytes as text: so Node.js, bundlers and browsers load kernels like any other module. Only what has changed is compiled.
// Kernels may import from kernels/shared.
// A source that asks for ASC_FEATURE_RELAXED_SIMD is compiled with it too: src/kernels/<name>.relaxed.wasm.ts.
import { createHash } from "node:crypto";
import { existsSync, readdirSync, readFileSync, writeFileSync } from "node:fs";
import { dirname, join } from "node:path";
import { fileURLToPath } from "node:url";

const root = join(dirname(fileURLToPath(import.meta.url)), "..");
const options = [
  "-O3",
  "--runtime",
  "stub",
  "--importMemory",
  // Said of the memory that is imported: src/kernels/instantiate.ts can then make a module for shared memory of it.
  "--maximumMemory",
  "65536",
  "--noAssert",
  "--noExportMemory",
  "--enable",
  "simd",
  "--use",
  "abort=",
];
const version = JSON.parse(readFileSync(join(root, "package-lock.json"), "utf8")).packages[
  "node_modules/assemblyscript"
].version;

const shared = new Map(
  readdirSync(join(root, "kernels", "shared")).map((name) => [
    `shared/${name}`,
    readFileSync(join(root, "kernels", "shared", name), "utf8"),
  ]),
);

for (const file of readdirSync(join(root, "kernels")).filter((f) => f.endsWith(".ts"))) {
  const name = file.slice(0, -3);
  const source = readFileSync(join(root, "kernels", file), "utf8");
  await compile(file, source, options, `${name}Wasm`, `${name}.wasm.ts`);
  if (source.includes("ASC_FEATURE_RELAXED_SIMD"))
    await compile(
      file,
      source,
      [...options, "--enable", "relaxed-simd"],
      `${name}RelaxedWasm`,
      `${name}.relaxed.wasm.ts`,
    );
}

async function compile(file, source, options, exported, target) {
  const stamp = createHash("sha256")
    .update([version, ...options, source, ...shared.values()].join(" "))
    .digest("hex");
  const output = join(root, "src", "kernels", target);
  if (existsSync(output) && readFileSync(output, "utf8").includes(stamp)) return;
  const { default: asc } = await import("assemblyscript/asc");
  let binary;
  const { error, stderr } = await asc.main([file, "--outFile", "out.wasm", ...options], {
    readFile: (path) => (path === file ? source : (shared.get(path) ?? null)),
    writeFile: (_path, contents) => {
      binary = contents;
    },
    listFiles: () => [],
  });
  if (error) {
    console.error(`kernels/${file} does not compile:\n${stderr}`);
    process.exit(1);
  }
  const base64 = Buffer.from(binary).toString("base64");
  writeFileSync(
    output,
    `// Compiled from kernels/${file}; ${stamp}\nexport const ${exported} =\n  "${base64}";\n`,
  );
}
