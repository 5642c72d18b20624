import * as tf from "@tensorflow/tfjs";
import { describe, expect, test } from "vitest";
import { functional, input, type Json, layer, load, refused, sequential } from "./json.js";

/** A chain of `count` layers in which each sum skips one. */
function skips(count: number): readonly Json[] {
  const layers: Json[] = [];
  let last = "in";
  for (let i = 0; layers.length < count; i++) {
    for (const [kind, from] of [
      ["Dense", [last]],
      ["Add", [last, `Dense${i}`]],
    ] as const) {
      const name = `${kind}${i}`;
      const options = { units: 2, kernel_initializer: layer("Zeros", {}) };
      const nodes = [from.map((each) => [each, 0, 0, {}])];
      layers.push(
        layer(kind, kind === "Dense" ? { name, ...options } : { name }, { name, inbound_nodes: nodes }),
      );
      last = name;
    }
  }
  return layers;
}

function row(count: number): Json {
  return sequential(
    input,
    ...Array.from({ length: count }, (_, i) => layer("Dense", { name: `d${i}`, units: 2 })),
  );
}

/** Listed from the last layer to the first: what a reader that passes over its list until nothing waits needs n^2 steps for. */
function reversed(count: number): Json {
  const model = functional(...skips(count));
  const config = model.config as { layers: Json[] };
  return { ...model, config: { ...config, layers: config.layers.toReversed() } };
}

describe("a model of 1,000 layers", () => {
  // The bound holds on a slow machine with room to spare: reproduce/bench/import.ts has times.
  test.each([
    ["in a row", row(1000)],
    ["in a chain with skips", functional(...skips(1000))],
    ["in a chain with skips, listed from its end", reversed(1000)],
  ])("%s is read within 5 s", async (_, topology) => {
    const start = performance.now();
    const model = await load(topology);
    expect(performance.now() - start).toBeLessThan(5000);
    expect(model.layers.length).toBeGreaterThanOrEqual(1000);
    model.dispose();
  });
});

test("a chain too deep for tfjs's recursion is refused, and leaves nothing", async () => {
  const chain = Array.from({ length: 20_000 }, (_, i) => {
    const name = `r${i}`;
    return layer("ReLU", { name }, { name, inbound_nodes: [[[i === 0 ? "in" : `r${i - 1}`, 0, 0, {}]]] });
  });
  const before = tf.memory().numTensors;
  await refused(functional(...chain), /a topology that tfjs can build, received.*stack.*model "made"/);
  expect(tf.memory().numTensors).toBe(before);
});
