/** A piece of HTML, as opposed to text that must be escaped. */
export interface Html {
  readonly html: string;
}

export type Content = Html | string | number | readonly Content[];

export function escapeHtml(text: string): string {
  return text.replace(/[&<>"']/g, (c) => `&#${c.charCodeAt(0)};`);
}

/** HTML from a template: what is inserted is escaped, unless it is HTML itself. */
export function html(parts: TemplateStringsArray, ...values: Content[]): Html {
  return { html: parts.map((part, i) => (i === 0 ? part : render(values[i - 1]) + part)).join("") };
}

/** HTML that comes from elsewhere, such as an SVG. */
export function raw(text: string): Html {
  return { html: text };
}

function render(value: Content): string {
  if (Array.isArray(value)) return value.map(render).join("");
  return typeof value === "object" ? (value as Html).html : escapeHtml(String(value));
}
