import * as tf from "@tensorflow/tfjs";
import { badModel } from "../badModel.js";
import { withoutGradient } from "./layer.js";

export interface Warp {
  readonly interpolation: string;
  readonly fillMode: string;
  readonly fillValue: number;
  /** Named in refusals. */
  readonly layer: string;
}

const modulo = (x: tf.Tensor, n: number): tf.Tensor => tf.sub(x, tf.mul(tf.floor(tf.div(x, n)), n));

/** To the next whole number, halves away from 0. */
const rounded = (x: tf.Tensor): tf.Tensor =>
  withoutGradient(() => tf.mul(tf.sign(x), tf.floor(tf.add(tf.abs(x), 0.5))));

/** Whole positions outside 0 .. n - 1, brought inside; "constant" leaves them to be replaced. */
const FILLS: Readonly<Record<string, (x: tf.Tensor, n: number) => tf.Tensor>> = {
  constant: (x, n) => tf.clipByValue(x, 0, n - 1),
  nearest: (x, n) => tf.clipByValue(x, 0, n - 1),
  // d c b a | a b c d | d c b a
  reflect: (x, n) => {
    const place = modulo(x, 2 * n);
    return tf.minimum(place, tf.sub(2 * n - 1, place));
  },
};

/**
 * Images seen at other places: y[row, column] = x at (a column + b row + c, d column + e row + f), for each sample its own
 * a .. f [batch, 1, 1, 1] in `transform`. Differentiable by x.
 *
 * @param x [batch, height, width, channels]
 * @throws AutoqnnError `bad-model` for a way of filling or interpolating that is not known
 */
export function warped(x: tf.Tensor, transform: readonly tf.Tensor[], options: Warp): tf.Tensor {
  const { interpolation, fillMode, fillValue, layer } = options;
  const fill = FILLS[fillMode];
  if (!fill || !["nearest", "bilinear"].includes(interpolation)) {
    const received = `fill_mode "${fillMode}" and interpolation "${interpolation}"`;
    const hint = "Choose constant, nearest or reflect, and nearest or bilinear.";
    throw badModel("ways of filling and interpolating that are known", received, `layer "${layer}"`, hint);
  }
  const [batch, height, width, channels] = x.shape as [number, number, number, number];
  const [a, b, c, d, e, f] = transform as [tf.Tensor, tf.Tensor, tf.Tensor, tf.Tensor, tf.Tensor, tf.Tensor];
  const columns = tf.reshape(tf.range(0, width, 1, "float32"), [1, 1, width, 1]);
  const rows = tf.reshape(tf.range(0, height, 1, "float32"), [1, height, 1, 1]);
  const across = tf.add(tf.add(tf.mul(a, columns), tf.mul(b, rows)), c);
  const down = tf.add(tf.add(tf.mul(d, columns), tf.mul(e, rows)), f);
  const flat = tf.reshape(x, [batch * height * width, channels]);
  const first = tf.reshape(tf.mul(tf.range(0, batch, 1, "float32"), height * width), [batch, 1, 1, 1]);

  const at = (row: tf.Tensor, column: tf.Tensor): tf.Tensor => {
    const index = withoutGradient(() => {
      const place = tf.add(tf.mul(fill(row, height), width), fill(column, width));
      return tf.cast(tf.reshape(tf.add(place, first), [batch * height * width]), "int32");
    });
    const values = tf.reshape(tf.gather(flat, index), x.shape);
    if (fillMode !== "constant") return values;
    const inside = withoutGradient(() =>
      tf.cast(
        tf.logicalAnd(
          tf.logicalAnd(tf.greaterEqual(row, 0), tf.lessEqual(row, height - 1)),
          tf.logicalAnd(tf.greaterEqual(column, 0), tf.lessEqual(column, width - 1)),
        ),
        "float32",
      ),
    );
    return tf.add(tf.mul(values, inside), tf.mul(tf.sub(1, inside), fillValue));
  };
  if (interpolation === "nearest") return at(rounded(down), rounded(across));
  const [top, left] = [tf.floor(down), tf.floor(across)];
  const [lower, right] = [tf.sub(down, top), tf.sub(across, left)];
  const mix = (p: tf.Tensor, q: tf.Tensor, share: tf.Tensor): tf.Tensor =>
    tf.add(tf.mul(p, tf.sub(1, share)), tf.mul(q, share));
  const upper = mix(at(top, left), at(top, tf.add(left, 1)), right);
  const under = mix(at(tf.add(top, 1), left), at(tf.add(top, 1), tf.add(left, 1)), right);
  return mix(upper, under, lower);
}
