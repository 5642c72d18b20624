import { device } from "../../sdk/engine/native/place.mjs";

/**
 * Whether the native engine of these tests computes on a GPU. There products of float32 are rounded to TF32's ten bits first, an
 * index out of range is no error, a step is not cancelled, and convolutions may add in another order.
 */
export const onGpu = device() === "gpu";

/** What a product of float32 on this device may be off. */
export const product = (exact: number): number => (onGpu ? Math.max(exact, 5e-3) : exact);
