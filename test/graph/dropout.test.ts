import * as tf from "@tensorflow/tfjs";
import { beforeAll, describe, expect, it } from "vitest";
import type { Engine, TensorMap } from "../../sdk/engine/engine.js";
import { engine } from "../../sdk/engine/index.js";
import { quantizedGraph } from "../../sdk/graph/graph.js";
import { fill, ours } from "./sequences.js";

let native: Engine;
beforeAll(async () => {
  native = await engine();
});

const rates = { dropout: 0.4, recurrentDropout: 0.4 };
const LAYERS: Readonly<Record<string, () => tf.layers.Layer>> = {
  "SimpleRNN of tfjs": () => tf.layers.simpleRNN({ units: 3, ...rates }),
  "LSTM of tfjs": () => tf.layers.lstm({ units: 3, ...rates }),
  "LSTM, a mask for all gates": () => ours("LSTM", { units: 3, implementation: 2, ...rates }),
  "LSTM, a mask for each gate": () => ours("LSTM", { units: 3, implementation: 1, ...rates }),
  "GRU, reset before": () => ours("GRU", { units: 3, implementation: 1, resetAfter: false, ...rates }),
  "GRU, reset after": () => ours("GRU", { units: 3, implementation: 1, resetAfter: true, ...rates }),
  MultiHeadAttention: () => ours("MultiHeadAttention", { numHeads: 2, keyDim: 3, dropout: 0.4 }),
};

describe.each(Object.entries(LAYERS))("dropout inside %s", (name, make) => {
  it("follows from the seed in training, has gradients, and does nothing afterwards", async () => {
    const input = tf.input({ shape: [5, 4] });
    const output = make().apply(name === "MultiHeadAttention" ? [input, input] : input);
    const model = tf.model({ inputs: input, outputs: output as tf.SymbolicTensor });
    fill(model);
    const graph = quantizedGraph(model);
    const pass = (training: boolean) =>
      native.compile("dropout", ({ x, seed, ...values }: TensorMap) => {
        let y: tf.Tensor | undefined;
        const gradient = tf.grad((source) => {
          const { outputs } = graph.forward(values, source, {
            training,
            seed: seed!,
            quantize: (_, value) => value,
          });
          y = tf.keep(outputs[0]!);
          return tf.sum(y);
        })(x!);
        return { gradient, y: y! };
      });
    const x = tf.randomNormal([8, 5, 4], 0, 1, "float32", 3);
    const [train, evaluate] = [pass(true), pass(false)];
    const run = async (step: typeof train, seed: number): Promise<number[]> => {
      const { y, gradient } = await step.run({
        ...graph.read(),
        x,
        seed: tf.tensor1d([seed, 5], "int32"),
      });
      expect(gradient!.dataSync().some((value) => value !== 0)).toBe(true);
      return [...y!.dataSync()];
    };
    expect(await run(train, 1)).toEqual(await run(train, 1));
    expect(await run(train, 1)).not.toEqual(await run(train, 2));
    const predicted = [...(model.predict(x) as tf.Tensor).dataSync()];
    for (const [i, value] of (await run(evaluate, 1)).entries()) expect(value).toBeCloseTo(predicted[i]!, 5);
    for (const step of [train, evaluate]) step.dispose();
  });
});
