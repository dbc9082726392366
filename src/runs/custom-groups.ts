import { Problem } from "../problem.ts";
import type { CustomGroups } from "../sparsity/groups/custom.ts";
import type { Reader, Refuse } from "./schema.ts";
import * as s from "./schema.ts";

/** Lists of groups by name: elements by parameter. */
export const customGroups: Reader<CustomGroups> = s.record(
  s.list(s.record(s.list(s.number({ min: 0, whole: true })))),
);

/** Groups made by hand from JSON. Throws a `Problem` that says where the text is wrong. */
export function readCustomGroups(json: string, file: string): CustomGroups {
  const refuse: Refuse = (path, reason) => {
    throw new Problem(`${file}: ${path.length ? `${path.join(".")}: ` : ""}${reason}`);
  };
  let data: unknown;
  try {
    data = JSON.parse(json);
  } catch (cause) {
    return refuse([], `not JSON: ${(cause as Error).message}`);
  }
  return customGroups(data, [], refuse);
}
