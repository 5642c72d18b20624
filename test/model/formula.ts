/** Writes low + (high - low) r into `values`, r the numbers in [0, 1) of a tensor's name (shared/reference/README.md). */
function fill<T extends Float32Array | Float64Array>(values: T, name: string, low: number, high: number): T {
  let hash = 2166136261;
  for (const byte of Buffer.from(name)) hash = Math.imul(hash ^ byte, 16777619);
  for (let i = 0; i < values.length; i++) {
    let x = (Math.imul(i, 2654435761) + hash) | 0;
    x = Math.imul(x ^ (x >>> 15), 2246822519);
    x = Math.imul(x ^ (x >>> 13), 3266489917);
    values[i] = low + (high - low) * (((x ^ (x >>> 16)) >>> 0) / 2 ** 32);
  }
  return values;
}

/** Numbers in [0, 1) of a tensor's name and an element's position: those of shared/reference/README.md. */
export function unit(name: string, size: number): Float64Array {
  return fill(new Float64Array(size), name, 0, 1);
}

const product = (shape: readonly number[]): number => shape.reduce((a, b) => a * b, 1);

/** The weight of a name ("conv/kernel"), from the same source. */
export function weightValues(name: string, shape: readonly number[]): Float32Array {
  const [low, high] = range(name.slice(name.lastIndexOf("/") + 1), shape);
  return fill(new Float32Array(product(shape)), name, low, high);
}

function range(weight: string, shape: readonly number[]): readonly [low: number, high: number] {
  if (["gamma", "moving_variance", "variance"].includes(weight)) return [0.8, 1.2];
  if (weight === "count") return [0, 0];
  if (shape.length < 2) return [-0.1, 0.1];
  const fan = product(weight === "depthwise_kernel" ? shape.slice(0, 2) : shape.slice(0, -1));
  const most = 1.3 * Math.sqrt(3 / fan);
  return [-most, most];
}

/** The input of a model: pixels from 0 to 255, or values from -1 to 1. */
export function inputValues(shape: readonly number[], span: "0..255" | "-1..1"): Float32Array {
  const [low, high] = span === "0..255" ? [0, 255] : [-1, 1];
  return fill(new Float32Array(product(shape)), "input", low, high);
}
