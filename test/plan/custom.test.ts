import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import * as tf from "@tensorflow/tfjs";
import { afterAll, beforeAll, expect, test } from "vitest";
import { autoqnn, load } from "../../sdk/index.js";
import { blobData } from "./blobs.js";

/** A dense layer that reads its kernel past `read`, and whose scale is a variable beside its weights. */
class Scaled extends tf.layers.Layer {
  static readonly className = "Scaled";
  private kernel!: tf.LayerVariable;
  private tensor!: tf.Tensor2D;
  readonly scale = tf.variable(tf.scalar(1), false);
  constructor(private readonly config: ConstructorParameters<typeof tf.layers.Layer>[0] & { units: number }) {
    super(config);
  }
  override build([, channels]: tf.Shape): void {
    const start = tf.initializers.glorotUniform({ seed: 3 });
    this.kernel = this.addWeight("kernel", [channels!, this.config.units], "float32", start);
    this.tensor = this.kernel.read() as tf.Tensor2D;
    super.build([null, channels!]);
  }
  override computeOutputShape([batch]: tf.Shape): tf.Shape {
    return [batch!, this.config.units];
  }
  override call([x]: tf.Tensor2D[]): tf.Tensor {
    return tf.mul(tf.matMul(x!, this.tensor), this.scale);
  }
  override getConfig(): tf.serialization.ConfigDict {
    return { ...super.getConfig(), units: this.config.units };
  }
}

/** A layer that holds a layer inside. */
class Block extends tf.layers.Layer {
  static readonly className = "Block";
  private readonly inner = tf.layers.dense({
    ...{ name: "inner", units: 8, activation: "relu" },
    kernelInitializer: tf.initializers.glorotUniform({ seed: 2 }),
  });
  override build(shape: tf.Shape): void {
    this.inner.build(shape);
    super.build(shape);
  }
  override call(inputs: tf.Tensor[]): tf.Tensor {
    return tf.mul(this.inner.apply(inputs) as tf.Tensor, 2);
  }
}

let directory: string;
beforeAll(async () => {
  directory = await mkdtemp(join(tmpdir(), "custom-"));
  tf.serialization.registerClass(Scaled as never);
  tf.serialization.registerClass(Block as never);
});
afterAll(() => rm(directory, { recursive: true, force: true }));

test("layers of a user's own are trained, packed, saved and loaded like any other", async () => {
  const input = tf.input({ shape: [6, 6, 1] });
  const scaled = new Scaled({ name: "scaled", units: 8 });
  const flat = tf.layers.flatten().apply(input);
  const hidden = new Block({ name: "block" }).apply(scaled.apply(flat));
  const output = tf.layers
    .dense({
      ...{ name: "out", units: 3, activation: "softmax" },
      kernelInitializer: tf.initializers.glorotUniform({ seed: 3 }),
    })
    .apply(hidden);
  const model = tf.model({ inputs: input, outputs: output as tf.SymbolicTensor });
  scaled.scale.assign(tf.scalar(1.5));

  const data = blobData();
  const plan = autoqnn(model, { data, seed: 2, batchSize: 32, quantizeInput: true });
  const before = plan.graph.read()["scaled/kernel"]!.arraySync();
  const tuned = plan.searchSchemes({ steps: 4, trialSteps: 2 }).fineTune({ steps: 120, learningRate: 0.01 });
  const quantized = await tuned.generate();
  const run = await tuned.run();
  expect(quantized.nodes.map(({ id }) => id)).toEqual([
    "scaled/kernel",
    "scaled/input",
    "block/kernel",
    "block/input",
    "out/kernel",
    "out/input",
  ]);
  expect(quantized.leftAlone.find(({ id }) => id === "scaled/scale")?.reason).toMatch(/beside/);
  expect([...run.snapshot.variables["scaled/kernel"]!.data]).not.toEqual((before as number[][]).flat());
  expect([...run.snapshot.variables["scaled/scale"]!.data]).toEqual([1.5]);
  expect((await quantized.evaluate(data.test)).accuracy).toBeGreaterThan(0.7);

  await quantized.save(directory);
  const again = await load(directory);
  const x = tf.randomUniform([5, 6, 6, 1], 0, 1, "float32", 4);
  expect((again.predict(x) as tf.Tensor).dataSync()).toEqual((quantized.predict(x) as tf.Tensor).dataSync());
});
