import { Problem } from "../../problem.ts";

/** What a published JSON file of settings holds. */
export type PublishedConfig = Readonly<Record<string, unknown>>;

/** Throws a `Problem` for settings that are others; they may be left out or null. */
export function expectSettings(config: PublishedConfig, settings: PublishedConfig): void {
  for (const [name, value] of Object.entries(settings))
    if ((config[name] ?? value) !== value)
      throw new Problem(
        `config: ${name} is ${JSON.stringify(config[name])}; only ${JSON.stringify(value)} is read`,
      );
}

/** A number among the settings. Throws a `Problem` where it is none. */
export function numberOf(config: PublishedConfig, name: string, fallback?: number): number {
  const value = config[name] ?? fallback;
  if (typeof value !== "number")
    throw new Problem(`config: ${name} is ${JSON.stringify(value)}; expected a number`);
  return value;
}
