import type { MimeBundle } from "../display.js";
import { asHtml, asText, type Column, escapeHtml, table } from "../table.js";

/** What of danfo's frames and series is read. */
interface Frame {
  readonly shape: readonly [number, number];
  readonly columns: readonly string[];
  readonly index: readonly (string | number)[];
  readonly dtypes: readonly string[];
  readonly values: readonly unknown[];
}

const HEAD = 10;

/** Whether `value` is a data frame, or a series, of danfo. */
export function isFrame(value: object): boolean {
  const { columns, index, dtypes, shape, $data } = value as Partial<Frame> & { $data?: unknown };
  return (
    Array.isArray(columns) &&
    Array.isArray(index) &&
    Array.isArray(dtypes) &&
    Array.isArray(shape) &&
    $data !== undefined
  );
}

/** The first rows of a frame, its shape, and the type of every column under its name. */
export function frameBundle(frame: Frame): MimeBundle {
  const [count, width = 1] = frame.shape;
  const rows = frame.values
    .slice(0, HEAD)
    .map((values, i) => ({ index: frame.index[i], values: Array.isArray(values) ? values : [values] }));
  const columns = frame.columns.map(
    (name, i): Column<(typeof rows)[number]> => ({
      title: String(name),
      unit: frame.dtypes[i] ?? "",
      value: ({ values }) => cell(values[i]),
    }),
  );
  const shown = table(rows, [{ title: "", value: ({ index }) => String(index) }, ...columns]);
  const size = `${count} row${count === 1 ? "" : "s"} × ${width} column${width === 1 ? "" : "s"}`;
  const text = count > HEAD ? `the first ${HEAD} of ${size}` : size;
  return {
    "text/plain": `${asText(shown)}\n${text}`,
    "text/html": `<div style="overflow:auto">${asHtml(shown)}</div>\n<p>${escapeHtml(text)}</p>`,
  };
}

function cell(value: unknown): string | number | undefined {
  if (value === null || value === undefined) return undefined;
  if (typeof value === "number") return Number.isFinite(value) ? Number(value.toPrecision(6)) : String(value);
  return String(value);
}
