import { device } from "../../sdk/engine/native/place.mjs";

/**
 * Whether the native engine of these tests computes on a GPU. There sums have another order, products of float32
 * are rounded to TF32's ten bits first, an index out of range is no error, and two runs may differ in their last bits; where XLA
 * compiles, random numbers are XLA's.
 */
export const onGpu = device() === "gpu";

/** What a product of float32 on this device may be off. */
export const product = (exact: number): number => (onGpu ? Math.max(exact, 5e-3) : exact);
