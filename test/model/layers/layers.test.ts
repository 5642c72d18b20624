import * as tf from "@tensorflow/tfjs";
import { beforeAll, describe, expect, test } from "vitest";
import type { Engine, TensorMap } from "../../../sdk/engine/engine.js";
import { engine } from "../../../sdk/engine/index.js";
import { quantizedGraph } from "../../../sdk/graph/graph.js";
import { planOf } from "../../../sdk/graph/plan.js";
import { variablesIn } from "../../../sdk/graph/variables.js";
import { models } from "../../../sdk/model/index.js";
import { directory } from "../files.js";
import { unit } from "../formula.js";
import { batchOf, loaded } from "./filled.js";
import { families, type LayerCase, type Numbers, type Pass } from "./fixture.js";

/**
 * Largest error, as a share of the largest magnitude of the tensor (at least 0.1: some gradients are 0 but for rounding). Two float32 programs that add in
 * another order differ by some 1e-6 of it.
 */
const TOLERANCE = 1e-5;

let native: Engine;
beforeAll(async () => {
  native = await engine();
});

function expectNear(what: string, actual: tf.Tensor, expected: Numbers): void {
  expect(actual.shape, `shape of ${what}`).toEqual(expected.shape);
  const values = actual.dataSync();
  const scale = Math.max(0.1, ...expected.values.map(Math.abs));
  const errors = expected.values.map((value, i) => Math.abs(values[i]! - value) / scale);
  const worst = errors.reduce((at, error, i) => (error <= errors[at]! ? at : i), 0);
  const shown = `element ${worst} of ${what}: ${values[worst]}, Keras ${expected.values[worst]}`;
  expect(errors.length === 0 || errors[worst]! <= TOLERANCE, shown).toBe(true);
}

function expectPredicts(model: tf.LayersModel, batch: tf.Tensor[], { outputs }: Pass, when: string): void {
  const predicted = [model.predict(batch.length > 1 ? batch : batch[0]!)].flat();
  expect(predicted.length).toBe(outputs.length);
  outputs.forEach((y, n) => {
    expectNear(`output ${n} ${when}`, predicted[n]!, y);
  });
}

/** One pass and its gradients as one step of the native engine, through the quantized graph. */
async function step(
  model: tf.LayersModel,
  names: ReadonlyMap<number, string>,
  { inputs }: LayerCase,
  batch: readonly tf.Tensor[],
  expected: Pass,
  training: boolean,
): Promise<void> {
  const graph = quantizedGraph(model);
  const held = variablesIn(model, planOf(model));
  const called = new Map(held.map(({ name, holder }) => [name, names.get(holder.id)!]));
  const trained = graph.variables.filter(({ name }) => expected.weightGradients?.[called.get(name)!]);
  const floats = inputs.flatMap(({ dtype }, n) => (dtype === "float32" ? [n] : []));
  const given = Object.fromEntries(batch.map((x, n) => [`input:${n}`, x]));
  const body = (all: TensorMap): TensorMap => {
    const results: TensorMap = {};
    const run = (...sources: tf.Tensor[]): tf.Tensor => {
      const xs = batch.map((_, n) => {
        const at = floats.indexOf(n);
        return at < 0 ? all[`input:${n}`]! : sources[at]!;
      });
      const own = trained.map(({ name }, n) => [name, sources[floats.length + n]!] as const);
      const { outputs, updates } = graph.forward({ ...all, ...Object.fromEntries(own) }, xs, {
        training,
        quantize: (_, x) => x,
        seed: tf.tensor1d([1, 2], "int32"),
      });
      outputs.forEach((y, n) => {
        results[`output:${n}`] = tf.keep(y);
      });
      for (const [name, value] of Object.entries(updates)) results[`update:${name}`] = tf.keep(value);
      const sums = outputs
        .filter(({ dtype }) => dtype === "float32")
        .map((y, n) => {
          const factor = Float32Array.from(unit(`output:${n}`, y.size), (r) => 2 * r - 1);
          return tf.sum(tf.mul(y, tf.tensor(factor, y.shape)));
        });
      return tf.addN(sums.length > 0 ? sums : [tf.scalar(0)]);
    };
    const sources = [...floats.map((n) => all[`input:${n}`]!), ...trained.map(({ name }) => all[name]!)];
    if (!expected.inputGradients || sources.length === 0) run(...sources);
    else {
      tf.grads(run)(sources).forEach((gradient, n) => {
        results[`gradient:${n}`] = gradient;
      });
    }
    return results;
  };
  const compiled = native.compile("layer", body);
  const results = await compiled.run({ ...given, ...graph.read() });
  compiled.dispose();
  expected.outputs.forEach((y, n) => {
    expectNear(`output ${n}`, results[`output:${n}`]!, y);
  });
  expected.inputGradients?.forEach((g, n) => {
    expectNear(`the gradient of input ${floats[n]}`, results[`gradient:${n}`]!, g);
  });
  expect(trained.map(({ name }) => called.get(name)).sort()).toEqual(
    Object.keys(expected.weightGradients ?? {}).sort(),
  );
  trained.forEach(({ name }, n) => {
    const own = called.get(name)!;
    const gradient = results[`gradient:${floats.length + n}`]!;
    expectNear(`the gradient of ${own}`, gradient, expected.weightGradients![own]!);
  });
  for (const [name, own] of called) {
    const update = expected.updates?.[own];
    const after = results[`update:${name}`];
    if (update && after) expectNear(`${own} after a step`, after, update);
    else if (update) expectNear(`${own}, left as it was,`, graph.read()[name]!, update);
  }
}

describe.each(families())("layers as Keras computes them: %s", (_, cases) => {
  test.each(cases.map((each) => [`${each.name}, written by ${each.writer}`, each] as const))(
    "%s",
    async (_, each) => {
      tf.setBackend("cpu");
      const { model, names } = await loaded(each);
      const batch = batchOf(each);
      expectPredicts(model, batch, each.inference, "as loaded");
      const path = directory();
      await models.save(model, path);
      const again = await models.load(path);
      expectPredicts(again, batch, each.inference, "as saved and loaded again");
      again.dispose();
      tf.setBackend("tensorflow");
      await step(model, names, each, batch, each.inference, false);
      if (each.training) await step(model, names, each, batch, each.training, true);
      model.dispose();
    },
  );
});
