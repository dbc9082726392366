import { spawnSync } from "node:child_process";
import { existsSync, readdirSync, readFileSync } from "node:fs";
import { dirname, join } from "node:path";
import { fileURLToPath } from "node:url";
import type { Command } from "commander";
import { expect, test } from "vitest";

const root = fileURLToPath(new URL("..", import.meta.url));

test("the tables of the docs are what the results say", () => {
  const { status, stderr } = spawnSync(process.execPath, ["scripts/tables.mjs", "--check"], {
    encoding: "utf8",
  });
  expect(stderr).toBe("");
  expect(status).toBe(0);
});

const pages = [
  "README.md",
  ...readdirSync(join(root, "docs"))
    .filter((name) => name.endsWith(".md"))
    .map((name) => `docs/${name}`),
];

test.each(pages)(
  "what %s names is there: files, protocols, commands with their options, functions",
  async (page) => {
    expect(await missing(readFileSync(join(root, page), "utf8"), dirname(page))).toEqual([]);
  },
);

test("a page that names what is not there is caught (control)", async () => {
  const page = [
    "[a](nothing.md) and `src/nothing.ts`, made by `npm run protocol -- nothing`.",
    '```ts\nimport { train, trian } from "filigree";\n```',
    "```sh\nnpx filigree compress lenet --data mnist --kep 0.3\nnpx filigree squash lenet\n```",
  ];
  expect(await missing(page.join("\n"), "docs")).toEqual([
    "docs/nothing.md",
    "src/nothing.ts",
    "protocols/nothing.ts",
    "filigree: trian",
    "filigree compress --kep",
    "filigree squash",
  ]);
});

/** What the text of a page in `folder` speaks of and the repository does not have. */
async function missing(text: string, folder: string): Promise<string[]> {
  const all = (pattern: RegExp) => [...text.matchAll(pattern)].map((match) => match.slice(1));
  const files = [
    ...all(/\]\(([^)#:]+)/g).map(([target]) => join(folder, target)),
    ...all(/`((?:src|bench|protocols|scripts|kernels|recipes)\/[\w./-]+)`/g).map(([path]) => path),
    ...all(/npm run (protocol|bench) -- ([\w-]+)/g).map(
      ([kind, name]) => `${kind === "bench" ? kind : "protocols"}/${name}.ts`,
    ),
  ].filter((path) => !existsSync(join(root, path)));

  const library = await import("../src/index.node.ts");
  const functions = all(/import \{([^}]*)\} from "filigree"/g)
    .flatMap(([names]) => names.split(",").map((name) => name.trim()))
    .filter((name) => name !== "" && !name.startsWith("type ") && !(name in library))
    .map((name) => `filigree: ${name}`);

  const wrong: string[] = [];
  for (const [line] of all(/(?:^|`)(?:npx )?filigree ([^\n`#]+)/gm)) {
    const [name, ...words] = line.trim().split(/\s+/);
    const command = await commandNamed(name);
    const inner = command?.commands.find((c) => c.name() === words[0]) ?? command;
    if (!inner) wrong.push(`filigree ${name}`);
    for (const option of words.flatMap((word) => /^--?[a-z][\w-]*/.exec(word)?.[0] ?? []))
      if (inner && option !== "--help" && !inner.options.some((o) => o.long === option || o.short === option))
        wrong.push(`filigree ${name} ${option}`);
  }
  return [...files, ...functions, ...wrong];
}

async function commandNamed(name: string): Promise<Command | undefined> {
  if (!existsSync(join(root, "src", "cli", `${name}.ts`))) return undefined;
  const made = (await import(`../src/cli/${name}.ts`)) as Record<string, (() => Command) | undefined>;
  return made[`${name}Command`]?.();
}
