import * as tf from "@tensorflow/tfjs";
import { expect, test } from "vitest";
import { type AutoqnnOptions, autoqnn, engine, type Progress, pretrain } from "../../sdk/index.js";
import { blobData } from "./blobs.js";

const data = blobData();
const quiet = { onProgress: () => {} };

/** A network whose loss on a batch is the mean of what it is on the parts: none of its layers looks at a whole batch. */
async function plainNetwork(): Promise<tf.LayersModel> {
  await engine();
  const kernelInitializer = tf.initializers.heNormal({ seed: 4 });
  return tf.sequential({
    layers: [
      tf.layers.conv2d({
        ...{ inputShape: [6, 6, 1], filters: 4, kernelSize: 3, activation: "relu", kernelInitializer },
      }),
      tf.layers.flatten(),
      tf.layers.dense({ units: 3, activation: "softmax", kernelInitializer }),
    ],
  });
}

function near(actual: ArrayLike<number>, expected: ArrayLike<number>, digits = 4): void {
  expect(actual.length).toBe(expected.length);
  for (const [i, value] of Array.from(expected).entries()) expect(actual[i]).toBeCloseTo(value, digits);
}

const RECIPES: Record<string, NonNullable<AutoqnnOptions["recipe"]>> = {
  sgd: { optimizer: "sgd", clipNorm: 0.3, averageWeights: 0.9, warmup: 3 },
  adam: { optimizer: "adam", weightDecay: 1e-2, decay: { milestones: [0.5], factor: 0.1 }, warmup: 3 },
};

test.each(Object.entries(RECIPES))(
  "%s: four batches of eight that make an update are one batch of 32",
  async (_, recipe) => {
    const trained = async (batchSize: number, accumulate: number) => {
      const model = await plainNetwork();
      const options = { seed: 2, steps: 16, learningRate: 0.02, batchSize, ...quiet };
      const { history } = await pretrain(model, data, { ...options, recipe: { ...recipe, accumulate } });
      return { history, weights: model.getWeights().flatMap((weight) => [...weight.dataSync()]) };
    };
    const [whole, parts] = [await trained(32, 1), await trained(8, 4)];
    near(parts.history.loss, whole.history.loss);
    near(parts.history.accuracy, whole.history.accuracy);
    near(parts.weights, whole.weights);
    const apart = await trained(8, 1);
    expect(Math.abs(apart.history.loss[15]! - whole.history.loss[15]!)).toBeGreaterThan(1e-3);
  },
);

test("quantized weights and what a stage trains of its own are updated alike", async () => {
  const model = await plainNetwork();
  const searched = (batchSize: number, accumulate: number) =>
    autoqnn(model, { data, seed: 2, batchSize, exclude: ["*/input*"], recipe: { accumulate } })
      .searchSchemes({ steps: 8, control: false, ...quiet })
      .run();
  const [whole, parts] = [await searched(32, 1), await searched(8, 4)];
  near(parts.history.loss, whole.history.loss);
  for (const [id, theta] of Object.entries(whole.theta)) near(parts.theta[id]!, theta, 3);
});

test("epochs count examples, steps count updates; halves that take turns each make their own", async () => {
  const model = await plainNetwork();
  const seen: Progress[] = [];
  const run = await autoqnn(model, { data, seed: 2, batchSize: 16, recipe: { accumulate: 2 } })
    .searchSchemes({ epochs: 1.5, update: "turns", control: false, onProgress: (p) => seen.push(p) })
    .run();
  // 384 examples in updates of 32.
  expect(run.history.steps).toBe(18);
  expect(seen.at(-1)).toMatchObject({ step: 18, steps: 18 });
  expect(run.history.loss.every((loss) => loss > 0)).toBe(true);
  const { history } = await pretrain(model, data, {
    ...{ epochs: 1, batchSize: 16, recipe: { accumulate: 5 } },
    onProgress: (progress) => seen.push(progress),
  });
  // Of 24 batches five updates of five: the last one takes a batch of the next epoch.
  expect(history.steps).toBe(5);
  expect(seen.at(-1)).toMatchObject({ step: 5, epoch: 2, epochs: 2 });
});
