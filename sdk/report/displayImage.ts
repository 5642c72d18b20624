import type * as tf from "@tensorflow/tfjs";
import { PNG } from "pngjs";
import { DISPLAY, type Displayable, type MimeBundle } from "../display.js";
import { AutoqnnError } from "../errors.js";

export interface ImageOptions {
  /** How many pictures stand beside each other. Default: as many as fit into 800 pixels. */
  readonly columns?: number;
  /** Screen pixels for one of the tensor, a whole number. Default: such that a picture is at least 56 pixels wide. */
  readonly zoom?: number;
  /** The value that is drawn black, and that drawn white. Default 0 and 255 for integers, 0 and 1 for fractions between them, else the extremes. */
  readonly range?: readonly [black: number, white: number];
}

/** Pictures that show themselves in a notebook. */
export interface Picture extends Displayable {
  readonly width: number;
  readonly height: number;
  /** The file, as PNG. */
  readonly png: Buffer;
}

const WIDTH = 800;
const LEAST = 56;
const GAP = 2;
const MOST_PIXELS = 4096 * 4096;

/**
 * A tensor as one or more pictures: [height, width], [height, width, channels] or [n, height, width, channels] with 1
 * channel (grey), 3 (red, green, blue) or 4 (and opacity). The tensor is read at once, and stays the caller's.
 *
 * @throws AutoqnnError `bad-data` for another shape, `bad-option` for options that are not positive whole numbers or give more
 * than 16 million pixels.
 * @example
 * image(batch.x.slice(0, 16), { columns: 8 })
 */
export function image(tensor: tf.Tensor, options: ImageOptions = {}): Picture {
  const { count, height, width, channels } = sizesOf(tensor);
  const zoom = options.zoom ?? Math.max(1, Math.ceil(LEAST / width));
  const columns = Math.min(
    count,
    options.columns ?? Math.max(1, Math.floor((WIDTH + GAP) / (width * zoom + GAP))),
  );
  for (const [name, value] of Object.entries({ zoom, columns })) checkWhole(name, value);
  const values = tensor.dataSync();
  const { black, scale } = scaleOf(values, tensor.dtype, options.range);
  const rows = Math.ceil(count / columns);
  const [wide, high] = [columns * (width * zoom + GAP) - GAP, rows * (height * zoom + GAP) - GAP];
  if (wide * high > MOST_PIXELS)
    throw new AutoqnnError(
      "bad-option",
      `Expected at most ${MOST_PIXELS} pixels, received ${wide} × ${high}.`,
      "Show fewer pictures, or with a smaller zoom.",
    );
  // What is not drawn on stays transparent, so that it has the colour of the page.
  const png = new PNG({ width: wide, height: high });
  const byte = (value: number): number => Math.round(255 * Math.min(1, Math.max(0, value)));
  for (let y = 0; y < high; y++) {
    const [row, py] = placeOf(y, height * zoom);
    for (let x = 0; x < wide; x++) {
      const [column, px] = placeOf(x, width * zoom);
      const n = row * columns + column;
      if (py === undefined || px === undefined || n >= count) continue;
      const from = ((n * height + Math.floor(py / zoom)) * width + Math.floor(px / zoom)) * channels;
      const to = (y * wide + x) * 4;
      for (let c = 0; c < 3; c++)
        png.data[to + c] = byte((values[from + (channels === 1 ? 0 : c)]! - black) * scale);
      png.data[to + 3] = channels === 4 ? byte((values[from + 3]! - black) * scale) : 255;
    }
  }
  return picture(wide, high, PNG.sync.write(png), `${count} × [${height}, ${width}, ${channels}]`);
}

function picture(width: number, height: number, png: Buffer, of: string): Picture {
  const bundle: MimeBundle = {
    "image/png": png.toString("base64"),
    "text/plain": `Picture of ${width} × ${height} pixels (${of})`,
  };
  return Object.freeze(
    Object.defineProperty({ width, height, png }, DISPLAY, { value: () => bundle }),
  ) as Picture;
}

/** Which picture a pixel of the page belongs to, and which of its own it is; none in the gap between two. */
function placeOf(at: number, size: number): [number, number | undefined] {
  const index = Math.floor(at / (size + GAP));
  const inside = at - index * (size + GAP);
  return [index, inside < size ? inside : undefined];
}

function sizesOf({ shape }: tf.Tensor): { count: number; height: number; width: number; channels: number } {
  const full = shape.length === 2 ? [1, ...shape, 1] : shape.length === 3 ? [1, ...shape] : shape;
  const [count, height, width, channels] = full as [number, number, number, number];
  if (full.length === 4 && [1, 3, 4].includes(channels) && count * height * width > 0)
    return { count, height, width, channels };
  throw new AutoqnnError(
    "bad-data",
    `Expected pictures [height, width], [height, width, channels] or [n, height, width, channels] with 1, 3 or 4 channels, received [${shape.join(", ")}].`,
    "Take a slice of the tensor, or move its axes with tf.transpose.",
  );
}

function scaleOf(
  values: ArrayLike<number>,
  dtype: string,
  given: ImageOptions["range"],
): { black: number; scale: number } {
  let [black, white] = given ?? [Number.POSITIVE_INFINITY, Number.NEGATIVE_INFINITY];
  if (!given) {
    for (let i = 0; i < values.length; i++) {
      black = Math.min(black, values[i]!);
      white = Math.max(white, values[i]!);
    }
    if (dtype === "int32" && black >= 0 && white <= 255) [black, white] = [0, 255];
    else if (dtype === "bool" || (black >= 0 && white <= 1)) [black, white] = [0, 1];
  }
  return { black, scale: 1 / (white - black || 1) };
}

function checkWhole(name: string, value: number): void {
  if (Number.isInteger(value) && value > 0) return;
  throw new AutoqnnError(
    "bad-option",
    `Expected a positive whole number for ${name}, received ${value}.`,
    "Leave it out for a size that fits the page.",
  );
}
