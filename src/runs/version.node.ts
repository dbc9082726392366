import { createRequire } from "node:module";

/** The version in Filigree's package.json, wherever the compiled files lie. */
export function filigreeVersion(): string {
  return (createRequire(import.meta.url)("#package") as { version: string }).version;
}
