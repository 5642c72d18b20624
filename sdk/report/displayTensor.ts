import type * as tf from "@tensorflow/tfjs";
import type { MimeBundle } from "../display.js";
import { asHtml, escapeHtml, table } from "../table.js";

/** Rows and columns of a matrix that are shown. */
const ROWS = 8;
const COLUMNS = 10;

/** Whether `value` is a tensor of tfjs. */
export function isTensor(value: object): boolean {
  const { shape, dtype, rankType, dataId } = value as Partial<tf.Tensor>;
  return Array.isArray(shape) && typeof dtype === "string" && rankType !== undefined && dataId !== undefined;
}

/** Type, shape and range of a tensor, and the first values of one that is a vector or a matrix. */
export async function tensorBundle(tensor: tf.Tensor): Promise<MimeBundle> {
  const { dtype, shape } = tensor;
  const name = `Tensor ${dtype} [${shape.join(", ")}]`;
  if (tensor.isDisposed) return { "text/plain": `${name}, disposed` };
  if (dtype === "string" || dtype === "complex64") return { "text/plain": `${name}\n${tensor.toString()}` };
  const values = await tensor.data();
  const range = rangeOf(values);
  return {
    "text/plain": `${name}${range}\n${tensor.toString()}`,
    "text/html": `<p><b>${name}</b>${escapeHtml(range)}</p>${head(values, shape)}`,
  };
}

function rangeOf(values: ArrayLike<number>): string {
  if (values.length === 0) return ", empty";
  let [least, most, sum, odd] = [Number.POSITIVE_INFINITY, Number.NEGATIVE_INFINITY, 0, 0];
  for (let i = 0; i < values.length; i++) {
    const value = values[i]!;
    if (Number.isFinite(value)) {
      least = Math.min(least, value);
      most = Math.max(most, value);
      sum += value;
    } else odd += 1;
  }
  if (values.length === 1) return "";
  const finite = values.length - odd;
  const not = odd > 0 ? `, ${odd} not finite` : "";
  if (finite === 0) return not;
  return `: ${short(least)} to ${short(most)}, mean ${short(sum / finite)}${not}`;
}

/** The upper left corner of a matrix, or of the first one where there are several. */
function head(values: ArrayLike<number>, shape: readonly number[]): string {
  const width = shape.at(-1) ?? 1;
  const height = shape.at(-2) ?? 1;
  const rows = Array.from({ length: Math.min(ROWS, height, values.length) }, (_, i) => i);
  const columns = Array.from({ length: Math.min(COLUMNS, width) }, (_, i) => i);
  if (rows.length === 0 || columns.length === 0) return "";
  const shown = table(rows, [
    { title: "", value: (row) => String(row) },
    ...columns.map((column) => ({
      title: String(column),
      value: (row: number) => short(values[row * width + column]!),
    })),
  ]);
  const outer = shape.slice(0, -2).map(() => "0");
  const where = outer.length > 0 ? `[${outer.join(", ")}, …, …], ` : "";
  const cut = rows.length < height || columns.length < width || outer.length > 0;
  const note = cut ? `<p>${where}the first ${rows.length} × ${columns.length} values</p>` : "";
  return `<div style="overflow:auto">${asHtml(shown)}</div>${note}`;
}

function short(value: number): number | string {
  return Number.isFinite(value) ? Number(value.toPrecision(4)) : String(value);
}
