import type { KernelBackend, Tensor, TensorInfo } from "@tensorflow/tfjs";
import { write } from "./host.js";
import { type NativeBackend, operation } from "./native-operation.js";

/** Bytes of images to numbers from 0 to 1, each image flipped and shifted. */
export const MOVE_KERNEL = "AutoqnnMove";

interface Call {
  inputs: { images: TensorInfo; moves: TensorInfo };
}

const SCALED = Float32Array.from({ length: 256 }, (_, byte) => byte / 255);

/** One image of [height, width, channels]; `target` is 0 before. */
function moveImage(
  image: ArrayLike<number>,
  target: Float32Array,
  [height, width, channels]: readonly [number, number, number],
  [flipped, down, right]: readonly [number, number, number],
): void {
  const firstColumn = Math.max(0, right);
  const endColumn = Math.min(width, width + right);
  for (let row = Math.max(0, down); row < Math.min(height, height + down); row++) {
    for (let column = firstColumn; column < endColumn; column++) {
      const source = flipped ? width - 1 - (column - right) : column - right;
      const from = ((row - down) * width + source) * channels;
      const to = (row * width + column) * channels;
      for (let channel = 0; channel < channels; channel++)
        target[to + channel] = SCALED[image[from + channel]!]!;
    }
  }
}

/** The bytes of `images`, [n, ...shape], to numbers from 0 to 1, each image moved as three numbers of `moves` say. */
export function moveImages(
  images: Uint8Array | Int32Array,
  shape: readonly [number, number, number],
  moves: Int32Array,
): Float32Array {
  const size = shape[0] * shape[1] * shape[2];
  const out = new Float32Array(images.length);
  for (let n = 0; n * size < out.length; n++) {
    const range = [n * size, (n + 1) * size] as const;
    const move = [moves[3 * n]!, moves[3 * n + 1]!, moves[3 * n + 2]!] as const;
    moveImage(images.subarray(...range), out.subarray(...range), shape, move);
  }
  return out;
}

function onHost({ inputs, backend }: Call & { backend: KernelBackend }): TensorInfo {
  const { images, moves } = inputs;
  const values = (info: TensorInfo) => backend.readSync(info.dataId) as Int32Array;
  const [, ...shape] = images.shape as [number, number, number, number];
  return write(backend, images.shape, moveImages(values(images), shape, values(moves)));
}

function onNative({ inputs, backend }: Call & { backend: NativeBackend }): Tensor {
  return operation({ backend, type: MOVE_KERNEL, inputs: [inputs.images, inputs.moves], outputs: 1 })[0]!;
}

export const moveKernels = [
  { kernelName: MOVE_KERNEL, backendName: "cpu", kernelFunc: onHost },
  { kernelName: MOVE_KERNEL, backendName: "tensorflow", kernelFunc: onNative },
];
