/** Numbers in [0, 1) of a tensor's name and an element's position: those of shared/reference/README.md. */
export function unit(name: string, size: number): Float64Array {
  let hash = 2166136261;
  for (const byte of Buffer.from(name)) hash = Math.imul(hash ^ byte, 16777619);
  return Float64Array.from({ length: size }, (_, i) => {
    let x = (Math.imul(i, 2654435761) + hash) | 0;
    x = Math.imul(x ^ (x >>> 15), 2246822519);
    x = Math.imul(x ^ (x >>> 13), 3266489917);
    return ((x ^ (x >>> 16)) >>> 0) / 2 ** 32;
  });
}

const product = (shape: readonly number[]): number => shape.reduce((a, b) => a * b, 1);

/** The weight of a name ("conv/kernel"), from the same source. */
export function weightValues(name: string, shape: readonly number[]): Float32Array {
  const r = unit(name, product(shape));
  const last = name.slice(name.lastIndexOf("/") + 1);
  if (["gamma", "moving_variance", "variance"].includes(last))
    return Float32Array.from(r, (v) => 0.8 + 0.4 * v);
  if (last === "count") return new Float32Array(r.length);
  if (shape.length < 2) return Float32Array.from(r, (v) => 0.1 * (2 * v - 1));
  const fan = product(last === "depthwise_kernel" ? shape.slice(0, 2) : shape.slice(0, -1));
  return Float32Array.from(r, (v) => (2 * v - 1) * 1.3 * Math.sqrt(3 / fan));
}
