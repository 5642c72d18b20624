import * as tf from "@tensorflow/tfjs";
import type { Batch, BatchOptions, Split } from "../../sdk/train/data.js";
import { stream } from "../../sdk/train/random.js";

/** Small pictures of three classes that a small network tells apart: a bright blob left, in the middle, or right. */
export function blobs(count: number, seed: number): Split {
  const draw = stream(seed, "blobs");
  const labels = Int32Array.from({ length: count }, () => Math.floor(draw() * 3));
  const pixels = Array.from(labels, (label) =>
    Float32Array.from({ length: 36 }, (_, i) => {
      const inside = Math.abs((i % 6) - (0.5 + 2 * label)) < 1;
      return Math.min(1, Math.max(0, (inside ? 0.55 : 0.3) + 0.35 * (draw() - 0.5)));
    }),
  );
  return splitOf(labels, pixels);
}

function splitOf(labels: Int32Array, pixels: readonly Float32Array[]): Split {
  const split: Split = {
    size: labels.length,
    shape: [6, 6, 1],
    classes: 3,
    async *batches({
      batchSize,
      seed,
      epoch = 0,
      dropLast = false,
      skip = 0,
    }: BatchOptions): AsyncGenerator<Batch> {
      const order = Array.from(labels.keys());
      if (seed !== undefined) {
        const draw = stream(seed, "order", epoch);
        const keys = order.map(() => draw());
        order.sort((a, b) => keys[a]! - keys[b]!);
      }
      for (let start = skip * batchSize; start < order.length; start += batchSize) {
        const chosen = order.slice(start, start + batchSize);
        if (dropLast && chosen.length < batchSize) return;
        const values = new Float32Array(chosen.length * 36);
        for (const [row, index] of chosen.entries()) values.set(pixels[index]!, row * 36);
        yield {
          x: tf.tensor4d(values, [chosen.length, 6, 6, 1]),
          y: tf.tensor1d(
            chosen.map((index) => labels[index]!),
            "int32",
          ),
        };
      }
    },
    halves: () => {
      const pick = (parity: number): Split => {
        const rows = Array.from(labels.keys()).filter((index) => index % 2 === parity);
        return splitOf(
          Int32Array.from(rows, (row) => labels[row]!),
          rows.map((row) => pixels[row]!),
        );
      };
      return [pick(0), pick(1)];
    },
    take: (wanted) => splitOf(labels.slice(0, wanted), pixels.slice(0, wanted)),
    [Symbol.asyncIterator]: () => split.batches({ batchSize: 32 })[Symbol.asyncIterator](),
  };
  return split;
}

export const blobData = (seed = 1) => ({
  train: blobs(384, seed),
  validation: blobs(96, seed + 100),
  test: blobs(96, seed + 200),
});

/** Two convolutions, batch normalisation, a dense classifier: every kind of node the stages must handle. */
export function smallNetwork(seed = 3): tf.LayersModel {
  const initializer = (k: number) => tf.initializers.heNormal({ seed: seed * 10 + k });
  return tf.sequential({
    layers: [
      tf.layers.conv2d({
        name: "one",
        inputShape: [6, 6, 1],
        filters: 6,
        kernelSize: 3,
        useBias: false,
        kernelInitializer: initializer(0),
      }),
      tf.layers.batchNormalization({ name: "one_bn" }),
      tf.layers.activation({ name: "one_relu", activation: "relu" }),
      tf.layers.conv2d({ name: "two", filters: 8, kernelSize: 3, kernelInitializer: initializer(1) }),
      tf.layers.activation({ name: "two_relu", activation: "relu" }),
      tf.layers.flatten({ name: "flat" }),
      tf.layers.dense({
        name: "classes",
        units: 3,
        activation: "softmax",
        kernelInitializer: initializer(2),
      }),
    ],
  });
}
