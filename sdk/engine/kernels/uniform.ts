import * as tf from "@tensorflow/tfjs";
import { write } from "./host.js";
import { type NativeBackend, operation } from "./native-operation.js";

/** Numbers in [0, 1), a pure function of shape and seed, the same on every backend. */
export const UNIFORM_KERNEL = "AutoqnnUniform";

interface Call {
  inputs: { seed: tf.Tensor };
  attrs: { shape: number[] };
}

type Words = readonly [number, number, number, number];

/** The upper 32 bits of the product of two unsigned 32-bit numbers. */
function high(a: number, b: number): number {
  const [al, ah, bl, bh] = [a & 0xffff, a >>> 16, b & 0xffff, b >>> 16];
  const middle = ah * bl + ((al * bl) >>> 16);
  const carry = al * bh + (middle % 0x10000);
  return (ah * bh + Math.floor(middle / 0x10000) + Math.floor(carry / 0x10000)) >>> 0;
}

/** Philox 4x32 with ten rounds (Salmon et al., 2011), the counter-based generator that TensorFlow draws from. */
function philox(counter: Words, key: readonly [number, number]): Words {
  let [c0, c1, c2, c3] = counter;
  let [k0, k1] = key;
  for (let round = 0; round < 10; round++) {
    const [high0, low0] = [high(0xd2511f53, c0), Math.imul(0xd2511f53, c0) >>> 0];
    const [high1, low1] = [high(0xcd9e8d57, c2), Math.imul(0xcd9e8d57, c2) >>> 0];
    [c0, c1, c2, c3] = [(high1 ^ c1 ^ k0) >>> 0, low1, (high0 ^ c3 ^ k1) >>> 0, low0];
    k0 = (k0 + 0x9e3779b9) >>> 0;
    k1 = (k1 + 0xbb67ae85) >>> 0;
  }
  return [c0, c1, c2, c3];
}

/** TensorFlow's StatelessRandomUniform: the seed, mixed once, gives the key and half of the counter. */
function draw(size: number, [seed0, seed1]: readonly [number, number]): Float32Array {
  const words = (seed: number) => [seed >>> 0, seed < 0 ? 0xffffffff : 0] as const;
  const [k0, k1, c2, c3] = philox([...words(seed0), ...words(seed1)], [0x3ec8f720, 0x02461e29]);
  const values = new Float32Array(size);
  for (let i = 0; i < size; i += 4) {
    const group = i / 4;
    const random = philox([group >>> 0, Math.floor(group / 2 ** 32), c2, c3], [k0, k1]);
    for (let j = 0; j < 4 && i + j < size; j++) values[i + j] = (random[j]! & 0x7fffff) / 2 ** 23;
  }
  return values;
}

export const uniformKernels = [
  {
    kernelName: UNIFORM_KERNEL,
    backendName: "cpu",
    kernelFunc: ({ inputs, attrs, backend }: Call & { backend: tf.KernelBackend }) => {
      const seed = backend.readSync(inputs.seed.dataId) as Int32Array;
      const size = attrs.shape.reduce((product, length) => product * length, 1);
      return write(backend, attrs.shape, draw(size, [seed[0]!, seed[1]!]));
    },
  },
  {
    kernelName: UNIFORM_KERNEL,
    backendName: "tensorflow",
    kernelFunc: ({ inputs, attrs, backend }: Call & { backend: NativeBackend }) => {
      const shape = tf.tensor1d(attrs.shape, "int32");
      const [values] = operation(
        { backend, type: "StatelessRandomUniform", inputs: [shape, inputs.seed], outputs: 1 },
        { dtype: ["TYPE", "float32"], T: ["TYPE", "int32"], Tseed: ["TYPE", "int32"] },
      );
      shape.dispose();
      return values;
    },
  },
];
