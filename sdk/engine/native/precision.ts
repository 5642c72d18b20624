import { AutoqnnError } from "../../errors.js";

/**
 * The operations that mixed precision takes in bfloat16, which is where a network computes most, and which of their inputs
 * are numbers. All else stays in float32: statistics, normalization, theta, bitwidths, the optimizer.
 */
const NARROWED: ReadonlyMap<string, readonly number[]> = new Map([
  ["Conv2D", [0, 1]],
  ["Conv2DBackpropInput", [1, 2]],
  ["Conv2DBackpropFilter", [0, 2]],
  ["DepthwiseConv2dNative", [0, 1]],
  ["DepthwiseConv2dNativeBackpropInput", [1, 2]],
  ["DepthwiseConv2dNativeBackpropFilter", [0, 2]],
  ["BatchMatMulV2", [0, 1]],
]);

/** Which inputs of an operation are narrowed in mixed precision; undefined for one that is left as it is. */
export const narrowed = (type: string): readonly number[] | undefined => NARROWED.get(type);

/**
 * Whether training steps take their convolutions and matrix products in bfloat16: AUTOQNN_PRECISION. By default they are
 * float32, which on NVIDIA GPUs from Ampere on TensorFlow computes in TF32.
 */
export function mixedPrecision(): boolean {
  const asked = process.env.AUTOQNN_PRECISION || "float32";
  if (asked === "float32" || asked === "bfloat16") return asked === "bfloat16";
  throw new AutoqnnError(
    "bad-option",
    `Expected "float32" or "bfloat16", received "${asked}" at AUTOQNN_PRECISION.`,
    "Unset it to train in float32.",
  );
}
