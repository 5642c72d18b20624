import * as tf from "@tensorflow/tfjs";
import { beforeAll, expect, test } from "vitest";
import type { Engine, TensorMap } from "../../sdk/engine/engine.js";
import { nativeEngine } from "../../sdk/engine/native/native.js";
import { AutoqnnError } from "../../sdk/errors.js";
import { product } from "./device.js";

// Vitest gives each file a process of its own, and the engine reads this once.
process.env.AUTOQNN_PRECISION = "bfloat16";

let engine: Engine;
const inputs: TensorMap = {};

beforeAll(async () => {
  engine = await nativeEngine();
  inputs.x = tf.randomNormal([2, 9, 9, 3], 0, 1, "float32", 1);
  inputs.filter = tf.randomNormal([3, 3, 3, 4], 0, 1, "float32", 2);
  inputs.weights = tf.randomNormal([4, 5], 0, 1, "float32", 3);
});

/** Outputs and gradients of a convolution and a product. */
function body({ x, filter, weights }: TensorMap): TensorMap {
  const network = (f: tf.Tensor, w: tf.Tensor): tf.Scalar => {
    const y = tf.conv2d(x as tf.Tensor4D, f as tf.Tensor4D, 1, "same");
    return tf.sum(tf.square(tf.matMul(tf.mean(tf.relu(y), [1, 2]), w as tf.Tensor2D)));
  };
  const { value, grads } = tf.valueAndGrads((...p: tf.Tensor[]) => network(p[0]!, p[1]!))([
    filter!,
    weights!,
  ]);
  return { value, filter: grads[0]!, weights: grads[1]! };
}

async function run(mixed: boolean): Promise<Record<string, Float32Array>> {
  const step = engine.compile("step", body, { training: mixed });
  const outputs = await step.run(inputs);
  step.dispose();
  const arrays = Object.entries(outputs).map(([key, t]) => [key, t.dataSync() as Float32Array] as const);
  return Object.fromEntries(arrays);
}

test("a mixed step keeps float32 outside, and is near what float32 gives", async () => {
  const [mixed, exact] = [await run(true), await run(false)];
  const eager = body(inputs);
  for (const [key, values] of Object.entries(exact)) {
    const size = Math.max(...values.map(Math.abs));
    const misses = values.map((v, i) => Math.abs(v - mixed[key]![i]!) / size);
    expect(Math.max(...misses), key).toBeLessThan(0.05);
    expect(Math.max(...misses), key).toBeGreaterThan(1e-5);
    // A step that is not mixed is as if nothing had been asked for.
    expect(eager[key]!.dataSync().every((v, i) => Math.abs(v - values[i]!) <= product(1e-5) * size)).toBe(
      true,
    );
  }
});

test("another precision is refused, with those there are", async () => {
  process.env.AUTOQNN_PRECISION = "float16";
  const error = await nativeEngine().catch((e: unknown) => e);
  expect(error).toBeInstanceOf(AutoqnnError);
  expect((error as Error).message).toContain('Expected "float32" or "bfloat16", received "float16"');
});
