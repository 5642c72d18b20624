import { narrowed } from "./precision.js";

/** What mixed precision leaves alone, but takes long all the same. */
const OTHERS: ReadonlyMap<string, readonly number[]> = new Map([
  ["Conv3D", [0, 1]],
  ["Conv3DBackpropInputV2", [1, 2]],
  ["Conv3DBackpropFilterV2", [0, 2]],
]);

/**
 * Which inputs of an operation pass through a gate, where a cancelled run ends: the numbers of those operations in which a
 * network spends its time. All of them, since TensorFlow makes values anew for the backward pass when the other inputs of what
 * reads them are there.
 */
export const gated = (type: string): readonly number[] | undefined => narrowed(type) ?? OTHERS.get(type);
