import * as tf from "@tensorflow/tfjs";
import type { Arguments, Shape } from "./arguments.js";
import { type Operation, type Operations, size } from "./row.js";

type Padding = "same" | "valid";

/** A window that moves over the spatial axes of x, channels last. */
interface Window {
  readonly strides: readonly number[];
  readonly dilations: readonly number[];
  readonly padding: Padding;
}

/** One number for each spatial axis, from one for all, one each, or one for every axis of x. */
function spatial(a: Arguments, name: string, count: number, absent: readonly number[]): readonly number[] {
  const given = a.integers(name, absent);
  if (given.length === 1) return Array.from({ length: count }, () => given[0]!);
  if (given.length === count) return given;
  const ends = given[0] === 1 && given.at(-1) === 1;
  return given.length === count + 2 && ends ? given.slice(1, -1) : a.refuse(name, `${count} numbers`);
}

function window(a: Arguments, count: number, strides: readonly number[] = [1]): Window {
  const format = a.word("format", "channels_last");
  if (!/^channels_last$|^n[dhw]*c$/.test(format)) a.refuse("format", "channels last");
  const padding = a.word("padding", "valid");
  if (padding !== "same" && padding !== "valid") a.refuse("padding", "same or valid");
  return {
    strides: spatial(a, "strides", count, strides),
    dilations: spatial(a, "dilations", count, [1]),
    padding: padding as Padding,
  };
}

/** Positions of a window along one axis. */
function positions(n: number, kernel: number, stride: number, dilation: number, padding: Padding): number {
  return Math.ceil((padding === "same" ? n : n - (kernel - 1) * dilation) / stride);
}

function slid(x: Shape, kernel: readonly number[], { strides, dilations, padding }: Window): number[] {
  return kernel.map((k, i) => positions(x[i + 1]!, k, strides[i]!, dilations[i]!, padding));
}

type Two = [number, number];
type Three = [number, number, number];

const spatialRank = (a: Arguments): number => a.shape("x").length - 2;

const conv: Operation = {
  compute: (a) => {
    const [x, kernel] = [a.tensor("x"), a.tensor("kernel")];
    const { strides, dilations, padding } = window(a, spatialRank(a));
    if (kernel.shape.at(-2) !== x.shape.at(-1)) a.refuse("kernel", `a kernel of ${x.shape.at(-1)} channels`);
    if (x.rank === 3)
      return tf.conv1d(x as tf.Tensor3D, kernel as tf.Tensor3D, strides[0]!, padding, "NWC", dilations[0]!);
    if (x.rank === 4)
      return tf.conv2d(
        x as tf.Tensor4D,
        kernel as tf.Tensor4D,
        strides as Two,
        padding,
        "NHWC",
        dilations as Two,
      );
    return tf.conv3d(
      x as tf.Tensor5D,
      kernel as tf.Tensor5D,
      strides as Three,
      padding,
      "NDHWC",
      dilations as Three,
    );
  },
  shape: (a) => {
    const kernel = a.shape("kernel");
    const over = slid(a.shape("x"), kernel.slice(0, -2), window(a, spatialRank(a)));
    return [a.shape("x")[0]!, ...over, kernel.at(-1)!];
  },
  macs: (a) => (size(conv.shape(a) as Shape) * size(a.shape("kernel"))) / a.shape("kernel").at(-1)!,
};

const depthwiseConv: Operation = {
  compute: (a) => {
    const [x, kernel] = [a.tensor("x"), a.tensor("kernel")];
    const { strides, dilations, padding } = window(a, spatialRank(a));
    if (x.rank !== 4) a.refuse("x", "images");
    return tf.depthwiseConv2d(
      x as tf.Tensor4D,
      kernel as tf.Tensor4D,
      strides as Two,
      padding,
      "NHWC",
      dilations as Two,
    );
  },
  shape: (a) => {
    const kernel = a.shape("kernel");
    const over = slid(a.shape("x"), kernel.slice(0, -2), window(a, spatialRank(a)));
    return [a.shape("x")[0]!, ...over, size(kernel.slice(-2))];
  },
  macs: (a) => size(depthwiseConv.shape(a) as Shape) * size(a.shape("kernel").slice(0, -2)),
};

/** A transposed convolution of images onto a result whose shape is given. */
const convTranspose: Operation = {
  compute: (a) => {
    const { strides, dilations, padding } = window(a, 2);
    if (size(dilations) !== 1) a.refuse("dilations", "no dilation");
    const shape = [...a.integers("shape")] as [number, number, number, number];
    return tf.conv2dTranspose(
      a.tensor("x") as tf.Tensor4D,
      a.tensor("kernel") as tf.Tensor4D,
      shape,
      strides as Two,
      padding,
    );
  },
  shape: (a) => a.integers("shape"),
  macs: (a) => (size(a.shape("x")) * size(a.shape("kernel"))) / a.shape("kernel").at(-1)!,
};

const pool = (type: "avg" | "max"): Operation => ({
  compute: (a) => {
    const x = a.tensor("x");
    const count = x.rank - 2;
    const area = spatial(a, "size", count, [1]);
    const { strides, padding } = window(a, count, area);
    if (count === 3) {
      const of = type === "avg" ? tf.avgPool3d : tf.maxPool3d;
      return of(x as tf.Tensor5D, area as Three, strides as Three, padding);
    }
    if (count === 2) return tf.pool(x as tf.Tensor4D, area as Two, type, padding, [1, 1], strides as Two);
    const image = tf.expandDims(x, 1) as tf.Tensor4D;
    return tf.squeeze(tf.pool(image, [1, area[0]!], type, padding, [1, 1], [1, strides[0]!]), [1]);
  },
  shape: (a) => {
    const shape = a.shape("x");
    const area = spatial(a, "size", shape.length - 2, [1]);
    return [shape[0]!, ...slid(shape, area, window(a, shape.length - 2, area)), shape.at(-1)!];
  },
});

/** Convolutions and pooling over any number of spatial axes, channels last. */
export const CONVOLUTION: Operations = {
  conv,
  depthwiseConv,
  convTranspose,
  averagePool: pool("avg"),
  maxPool: pool("max"),
};
