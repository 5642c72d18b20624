export type Cell = string | number | undefined;

/** One column of a table over rows of type `R`. A number is printed with `digits` decimals. */
export interface Column<R> {
  readonly title: string;
  /** Printed behind the title, in brackets. */
  readonly unit?: string;
  readonly digits?: number;
  /** Whether its text may be broken between words where a line would get too long. */
  readonly wraps?: boolean;
  value(row: R): Cell;
}

/** A table ready to be printed. Columns that hold numbers align to the right. */
export interface Table {
  readonly header: readonly string[];
  readonly numeric: readonly boolean[];
  readonly wraps: readonly boolean[];
  /** As text, numbers formatted. */
  readonly rows: readonly (readonly string[])[];
  /** As they were given, numbers in full. */
  readonly cells: readonly (readonly Cell[])[];
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
    wraps: columns.map(({ wraps }) => wraps ?? false),
    rows: cells.map((row) => row.map((cell, i) => format(cell, columns[i]!.digits))),
    cells,
  };
}

/** Columns two blanks apart, for a terminal of `columns` characters: longer lines are broken in columns that wrap. */
export function asText({ header, numeric, wraps, rows }: Table, columns = Number.POSITIVE_INFINITY): string {
  const natural = header.map((title, i) => Math.max(...[title, ...rows.map((row) => row[i]!)].map(width)));
  const excess = natural.reduce((sum, w) => sum + w + 2, -2) - columns;
  const shares = wraps.filter(Boolean).length;
  const widths = natural.map((w, i) =>
    wraps[i] && excess > 0 ? Math.max(NARROWEST, w - Math.ceil(excess / shares)) : w,
  );
  const line = (cells: readonly string[]): string =>
    cells
      .map((cell, i) => {
        const blanks = " ".repeat(Math.max(0, widths[i]! - width(cell)));
        return numeric[i] ? blanks + cell : cell + blanks;
      })
      .join("  ")
      .trimEnd();
  const lines = (cells: readonly string[]): string[] => {
    const broken = cells.map((cell, i) => (wraps[i] ? wrapped(cell, widths[i]!) : [cell]));
    const height = Math.max(...broken.map((parts) => parts.length));
    return Array.from({ length: height }, (_, n) => line(broken.map((parts) => parts[n] ?? "")));
  };
  return [line(header), line(widths.map((w) => "-".repeat(w))), ...rows.flatMap(lines)].join("\n");
}

/** The least width that a column is broken to. */
const NARROWEST = 24;

/** `text` in lines of at most `limit` characters, broken between words; a longer word has a line of its own. */
function wrapped(text: string, limit: number): string[] {
  const lines: string[] = [];
  for (const word of text.split(" ")) {
    const last = lines.at(-1);
    if (last !== undefined && width(last) + 1 + width(word) <= limit)
      lines[lines.length - 1] = `${last} ${word}`;
    else lines.push(word);
  }
  return lines;
}

/** A Markdown table. */
export function asMarkdown({ header, numeric, rows }: Table): string {
  const line = (cells: readonly string[]): string => `| ${cells.join(" | ")} |`;
  const safe = (cells: readonly string[]): string[] =>
    cells.map((cell) => cell.replace(/[\\|*`<]/g, "\\$&").replace(/\s+/g, " "));
  return [
    line(safe(header)),
    line(numeric.map((right) => (right ? "---:" : "---"))),
    ...rows.map((row) => line(safe(row))),
  ].join("\n");
}

/**
 * Comma-separated values as RFC 4180 has them: lines end in CR LF, fields with a comma, a quote or a line break stand in
 * quotes. Numbers are in full, with a point and without separators, for other programs to read.
 */
export function asCsv({ header, cells }: Table): string {
  const field = (cell: Cell): string => {
    const text = String(cell ?? "");
    return /[",\r\n]/.test(text) ? `"${text.replaceAll('"', '""')}"` : text;
  };
  return [header, ...cells].map((row) => `${row.map(field).join(",")}\r\n`).join("");
}

/** A LaTeX table with the rules of the package booktabs. */
export function asLatex({ header, numeric, rows }: Table): string {
  const line = (cells: readonly string[]): string => `${cells.map(escapeLatex).join(" & ")} \\\\`;
  return [
    `\\begin{tabular}{${numeric.map((right) => (right ? "r" : "l")).join("")}}`,
    "\\toprule",
    line(header),
    "\\midrule",
    ...rows.map(line),
    "\\bottomrule",
    "\\end{tabular}",
    "",
  ].join("\n");
}

const LATEX: Readonly<Record<string, string>> = {
  "\\": "\\textbackslash{}",
  "~": "\\textasciitilde{}",
  "^": "\\textasciicircum{}",
  "<": "\\textless{}",
  ">": "\\textgreater{}",
  "|": "\\textbar{}",
  "×": "$\\times$",
  "±": "$\\pm$",
  "−": "$-$",
};

function escapeLatex(text: string): string {
  return text.replace(/[\\~^<>|×±−#$%&_{}[\]]/g, (character) => {
    // A bracket after a line's end would be read as its argument.
    if (character === "[" || character === "]") return `{${character}}`;
    return LATEX[character] ?? `\\${character}`;
  });
}

/**
 * The rows as plain objects by title, numbers in full, as data frames take them: `new dfd.DataFrame(asRecords(table))`. A
 * title that stands more than once is numbered.
 */
export function asRecords({ header, cells }: Table): Record<string, Cell>[] {
  const names = header.map((title, i) => {
    const before = header.slice(0, i).filter((other) => other === title).length;
    return before === 0 ? title : `${title} ${before + 1}`;
  });
  return cells.map((row) => Object.fromEntries(names.map((name, i) => [name, row[i]])));
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
