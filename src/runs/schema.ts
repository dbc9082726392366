import { nearest } from "./nearest.ts";

/** Where a value stands in a document: keys and positions from the root. */
export type Path = readonly (string | number)[];

/** Throws the error for the value at `path`. */
export type Refuse = (path: Path, reason: string) => never;

/** Turns a value of unknown type into a T, or refuses it. An absent value is undefined. */
export type Reader<T> = (value: unknown, path: Path, refuse: Refuse) => T;

export type Fields<T> = { readonly [K in keyof T]: Reader<T[K]> };

export function text(): Reader<string> {
  return (value, path, refuse) =>
    typeof value === "string" && value !== "" ? value : refuse(path, expected("a text", value));
}

export function boolean(): Reader<boolean> {
  return (value, path, refuse) =>
    typeof value === "boolean" ? value : refuse(path, expected("true or false", value));
}

export interface Range {
  min?: number;
  max?: number;
  /** The smallest value itself is not allowed. */
  above?: boolean;
  whole?: boolean;
}

export function number({ min, max, above = false, whole = false }: Range = {}): Reader<number> {
  const kind = whole ? "a whole number" : "a number";
  const low = min === undefined ? "" : above ? ` above ${min}` : ` of at least ${min}`;
  const wanted = `${kind}${low}${max === undefined ? "" : `${low && " and"} of at most ${max}`}`;
  return (value, path, refuse) =>
    typeof value === "number" &&
    Number.isFinite(value) &&
    (!whole || Number.isSafeInteger(value)) &&
    (min === undefined || (above ? value > min : value >= min)) &&
    (max === undefined || value <= max)
      ? value
      : refuse(path, expected(wanted, value));
}

export function oneOf<const T extends string>(known: readonly T[]): Reader<T> {
  return (value, path, refuse) =>
    known.includes(value as T)
      ? (value as T)
      : refuse(path, `${expected(`one of ${known.join(", ")}`, value)}${hint(value, known)}`);
}

/** What is absent becomes `value`. */
export function withDefault<T>(reader: Reader<T>, value: T): Reader<T> {
  return (found, path, refuse) => (isAbsent(found) ? value : reader(found, path, refuse));
}

/** What is absent becomes null, which says in a written document that the thing is off. */
export function orNull<T>(reader: Reader<T>): Reader<T | null> {
  return withDefault<T | null>(reader, null);
}

/** What is absent stays so. */
export function orAbsent<T>(reader: Reader<T>): Reader<T | undefined> {
  return withDefault<T | undefined>(reader, undefined);
}

export function list<T>(item: Reader<T>): Reader<T[]> {
  return (value, path, refuse) =>
    Array.isArray(value)
      ? value.map((v, i) => item(v, [...path, i], refuse))
      : refuse(path, expected("a list", value));
}

export function pair<T>(item: Reader<T>): Reader<readonly [T, T]> {
  return (value, path, refuse) => {
    if (!Array.isArray(value) || value.length !== 2) return refuse(path, expected("a list of 2", value));
    return [item(value[0], [...path, 0], refuse), item(value[1], [...path, 1], refuse)];
  };
}

/** An object with any keys. */
export function record<T>(item: Reader<T>): Reader<Record<string, T>> {
  return (value, path, refuse) =>
    Object.fromEntries(
      entriesOf(value, path, refuse).map(([key, v]) => [key, item(v, [...path, key], refuse)]),
    );
}

/** An object with these keys and no others. */
export function object<T>(fields: Fields<T>): Reader<T> {
  return (value, path, refuse) => {
    const known = Object.keys(fields);
    const given = Object.fromEntries(entriesOf(value, path, refuse));
    for (const key of Object.keys(given))
      if (!known.includes(key))
        refuse([...path, key], `unknown key${hint(key, known) || `; known here: ${known.join(", ")}`}`);
    return Object.fromEntries(
      known.map((key) => [key, fields[key as keyof T](given[key], [...path, key], refuse)]),
    ) as T;
  };
}

/** The fields besides the tag of those members of a union whose tag can be `P`. */
type Tagged<T, K extends string, P> = T extends { [Q in K]: infer Tag }
  ? P extends Tag
    ? Fields<Omit<T, K>>
    : never
  : never;

/** One of several objects, told apart by the text under `tag`. The tag alone may stand for the object. */
export function variant<K extends string, T extends { [P in K]: string }>(
  tag: K,
  variants: { readonly [P in T[K]]: Tagged<T, K, P> },
): Reader<T> {
  const known = Object.keys(variants) as T[K][];
  return (value, path, refuse) => {
    const given =
      typeof value === "string" ? { [tag]: value } : Object.fromEntries(entriesOf(value, path, refuse));
    const name = oneOf(known)(given[tag], [...path, tag], refuse);
    const fields = { [tag]: oneOf([name]), ...variants[name] } as Fields<unknown>;
    return object(fields)(given, path, refuse) as T;
  };
}

export function isAbsent(value: unknown): value is undefined | null {
  return value === undefined || value === null;
}

function entriesOf(value: unknown, path: Path, refuse: Refuse): [string, unknown][] {
  if (typeof value !== "object" || value === null || Array.isArray(value))
    return refuse(path, expected("keys with values", value));
  return Object.entries(value);
}

function expected(wanted: string, found: unknown): string {
  return isAbsent(found) ? `is missing; expected ${wanted}` : `expected ${wanted}, found ${show(found)}`;
}

function show(value: unknown): string {
  if (Array.isArray(value)) return `a list of ${value.length}`;
  if (typeof value === "object") return "keys with values";
  return typeof value === "string" ? JSON.stringify(value) : String(value);
}

function hint(value: unknown, known: readonly string[]): string {
  const near = typeof value === "string" ? nearest(value, known) : undefined;
  return near ? `; did you mean "${near}"?` : "";
}
