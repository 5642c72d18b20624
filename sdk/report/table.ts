export type Cell = string | number | undefined;

/** One column of a table over rows of type `R`. A number is printed with `digits` decimals. */
export interface Column<R> {
  readonly title: string;
  /** Printed behind the title, in brackets. */
  readonly unit?: string;
  readonly digits?: number;
  value(row: R): Cell;
}

/** A table ready to be printed: all text, numbers already formatted. Columns that hold numbers align to the right. */
export interface Table {
  readonly header: readonly string[];
  readonly numeric: readonly boolean[];
  readonly rows: readonly (readonly string[])[];
}

/**
 * Lays `rows` out as a table.
 *
 * @example
 * asText(table([{ id: "dense/kernel", bytes: 1200 }], [
 *   { title: "node", value: (row) => row.id },
 *   { title: "size", unit: "B", value: (row) => row.bytes },
 * ]));
 * // node          size (B)
 * // ------------  --------
 * // dense/kernel     1,200
 */
export function table<R>(rows: readonly R[], columns: readonly Column<R>[]): Table {
  const cells = rows.map((row) => columns.map((column) => column.value(row)));
  return {
    header: columns.map(({ title, unit }) => (unit ? `${title} (${unit})` : title)),
    numeric: columns.map((_, i) => cells.some((row) => typeof row[i] === "number")),
    rows: cells.map((row) => row.map((cell, i) => format(cell, columns[i]!.digits))),
  };
}

/** Columns two blanks apart, for a terminal. */
export function asText({ header, numeric, rows }: Table): string {
  const widths = header.map((title, i) => Math.max(...[title, ...rows.map((row) => row[i]!)].map(width)));
  const line = (cells: readonly string[]): string =>
    cells
      .map((cell, i) => {
        const blanks = " ".repeat(widths[i]! - width(cell));
        return numeric[i] ? blanks + cell : cell + blanks;
      })
      .join("  ")
      .trimEnd();
  return [line(header), line(widths.map((w) => "-".repeat(w))), ...rows.map(line)].join("\n");
}

/** A Markdown table. */
export function asMarkdown({ header, numeric, rows }: Table): string {
  const line = (cells: readonly string[]): string => `| ${cells.join(" | ")} |`;
  const safe = (cells: readonly string[]): string[] => cells.map((cell) => cell.replaceAll("|", "\\|"));
  return [
    line(safe(header)),
    line(numeric.map((right) => (right ? "---:" : "---"))),
    ...rows.map((row) => line(safe(row))),
  ].join("\n");
}

/** An HTML table; cells of numbers have the class "number". */
export function asHtml({ header, numeric, rows }: Table): string {
  const line = (tag: "th" | "td", cells: readonly string[]): string =>
    `<tr>${cells
      .map((cell, i) => `<${tag}${numeric[i] ? ' class="number"' : ""}>${escapeHtml(cell)}</${tag}>`)
      .join("")}</tr>`;
  const body = rows.map((row) => line("td", row)).join("\n");
  return `<table>\n<thead>${line("th", header)}</thead>\n<tbody>\n${body}\n</tbody>\n</table>`;
}

/** `text` as it may stand in HTML, in an attribute too. */
export function escapeHtml(text: string): string {
  const entities: Record<string, string> = {
    "&": "&amp;",
    "<": "&lt;",
    ">": "&gt;",
    '"': "&quot;",
    "'": "&#39;",
  };
  return text.replace(/[&<>"']/g, (character) => entities[character]!);
}

function format(cell: Cell, digits?: number): string {
  if (cell === undefined) return "";
  if (typeof cell === "string") return cell;
  return cell.toLocaleString("en-US", {
    minimumFractionDigits: digits ?? 0,
    maximumFractionDigits: digits ?? 3,
  });
}

/** Code points, so that a letter outside the basic plane counts once. */
function width(text: string): number {
  return [...text].length;
}
