import { type HostTensor, sizeOf } from "../train/snapshot.js";

/** `kernel` times `factor`, whose shape broadcasts to it, each product rounded once. */
export function multiplied(kernel: HostTensor, factor: HostTensor): HostTensor {
  const strides = factor.shape.map((size, axis) => (size === 1 ? 0 : sizeOf(factor.shape.slice(axis + 1))));
  const data = Float32Array.from(kernel.data);
  const visit = (axis: number, start: number, at: number): void => {
    const below = sizeOf(kernel.shape.slice(axis + 1));
    for (let i = 0; i < kernel.shape[axis]!; i++) {
      const [place, index] = [start + i * below, at + i * strides[axis]!];
      if (axis < kernel.shape.length - 1) visit(axis + 1, place, index);
      else data[place]! *= factor.data[index]!;
    }
  };
  visit(0, 0, 0);
  return { ...kernel, data };
}
