export interface Column {
  heading: string;
  /** Numbers stand right. Default left. */
  align?: "left" | "right";
}

/** Rows under headings, in columns as wide as they need to be. */
export function table(columns: readonly Column[], rows: readonly (readonly (string | number)[])[]): string {
  const cells = [columns.map((c) => c.heading), ...rows.map((row) => row.map(String))];
  const widths = columns.map((_, i) => Math.max(...cells.map((row) => width(row[i]))));
  const line = (row: readonly string[]) =>
    row
      .map((cell, i) => {
        const space = " ".repeat(widths[i] - width(cell));
        return columns[i].align === "right" ? space + cell : cell + space;
      })
      .join("  ")
      .trimEnd();
  const [head, ...body] = cells.map(line);
  return [head, widths.map((w) => "─".repeat(w)).join("  "), ...body].join("\n");
}

/** Places a text takes on a terminal, for the characters that reports are written in. */
function width(text: string): number {
  return [...text].length;
}
