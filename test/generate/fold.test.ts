import { existsSync, readFileSync } from "node:fs";
import { fileURLToPath } from "node:url";
import * as tf from "@tensorflow/tfjs";
import { beforeAll, describe, expect, it } from "vitest";
import { engine } from "../../sdk/engine/index.js";
import { fold, generate } from "../../sdk/generate/index.js";
import { quantizedGraph } from "../../sdk/graph/graph.js";
import { build } from "../../sdk/model/topology/topology.js";
import { uncalibrated } from "../../sdk/train/calibrate.js";
import type { HostTensor, Snapshot } from "../../sdk/train/snapshot.js";
import { weightValues } from "../model/formula.js";
import { type Both, batch, both, predicted, small } from "./both.js";
import { functional, PROVENANCE, snapshotOf } from "./models.js";
import { hard, KINDS, NETWORKS, type Normalized } from "./normalized.js";

beforeAll(() => engine().then(() => undefined));

async function hardly({ model }: Normalized): Promise<Both> {
  const graph = quantizedGraph(model());
  return both(graph, hard(await uncalibrated(graph)));
}

/**
 * What the outputs would be if nothing cancelled: every weight, mean and input by its magnitude. A layer's rounding errors
 * are a few float32 epsilons of it, and those of the layers before grow no faster than it does.
 */
function magnitudes({ graph, snapshot, kept }: Both, inputs: tf.Tensor[]): Float32Array[] {
  const values = graph.variables.map(({ name, shape }): [string, tf.Tensor] => {
    const { data } = snapshot.variables[name]!;
    const node = kept.nodes.find(({ id }) => id === name);
    const size = tf.abs(tf.tensor(node ? node.staircase.apply(data) : data, [...shape]));
    return [name, name.endsWith("moving_mean") ? tf.neg(size) : size];
  });
  const magnitude = inputs.map((x) => tf.abs(x));
  const options = { training: false, quantize: (_: unknown, x: tf.Tensor) => x };
  const { outputs } = graph.forward(Object.fromEntries(values), magnitude, options);
  return outputs.map((y) => y.dataSync() as Float32Array);
}

const EPSILON = 2 ** -23;

/** The largest difference of kept and folded, in float32 epsilons of the magnitudes. */
function difference(pair: Both): number {
  const inputs = batch(pair.graph);
  const [ours, theirs] = [predicted(pair.folded, inputs), predicted(pair.kept, inputs)];
  const sizes = magnitudes(pair, inputs);
  const ratios = theirs.flatMap((y, k) =>
    [...y].map((value, i) => Math.abs(ours[k]![i]! - value) / (EPSILON * sizes[k]![i]! || EPSILON)),
  );
  return Math.max(...ratios);
}

describe.each([...KINDS, ...NETWORKS].map((network) => [network.name, network] as const))(
  "folding in %s",
  (_, network) => {
    it("takes what can be taken, and says why the rest is kept", async () => {
      const { kept, folded } = await hardly(network);
      const outcomes = Object.fromEntries(
        folded.batchNormalizations.map((outcome) => [outcome.layer, outcome]),
      );
      const expected = { ...network.folded, ...network.kept };
      expect(Object.keys(outcomes).sort()).toEqual(Object.keys(expected).sort());
      for (const [layer, into] of Object.entries(network.folded))
        expect(outcomes[layer]).toEqual({ layer, into });
      for (const [layer, reason] of Object.entries(network.kept ?? {}))
        expect(outcomes[layer]).toMatchObject({ reason: expect.stringMatching(reason) });
      expect(kept.batchNormalizations.every((outcome) => "reason" in outcome)).toBe(true);
    });

    it("changes predictions by no more than the rounding of float32", async () => {
      const pair = await hardly(network);
      expect(difference(pair)).toBeLessThan(4 * network.depth);
    });
  },
);

describe("where tfjs cannot normalize, or not on every engine,", () => {
  const cases = {
    "Conv3D, more than four dimensions": {
      layer: tf.layers.conv3d({ name: "it", filters: 3, kernelSize: 2, inputShape: [4, 4, 4, 2] }),
      axis: -1,
      channelOf: (i: number) => i % 3,
    },
    "Conv2D, channels first": {
      layer: tf.layers.conv2d({
        ...{ name: "it", filters: 3, kernelSize: 3, useBias: false, padding: "same" },
        ...{ dataFormat: "channelsFirst", inputShape: [2, 6, 6] },
      }),
      axis: 1,
      channelOf: (i: number) => Math.floor(i / 36) % 3,
    },
  };

  it.each(Object.entries(cases))(
    "folding is that of the formula: %s",
    async (_, { layer, axis, channelOf }) => {
      const bare = tf.sequential({ layers: [layer] });
      const norm = tf.layers.batchNormalization({ name: "norm", axis });
      const graph = quantizedGraph(tf.sequential({ layers: [bare.layers[0]!, norm] }));
      const snapshot = hard(await uncalibrated(graph));
      const folded = generate(graph, snapshot, {}, PROVENANCE, fold(graph, snapshot, {}));
      expect(folded.batchNormalizations).toEqual([{ layer: "norm", into: "it" }]);
      const of = (name: string): ArrayLike<number> => snapshot.variables[name]!.data;
      const weights = ["it/kernel", "it/bias"].flatMap((name) => snapshot.variables[name] ?? []);
      layer.setWeights(weights.map(({ data, shape }) => tf.tensor(data, [...shape])));
      const [x] = batch(graph) as [tf.Tensor];
      const plain = (bare.predict(x) as tf.Tensor).dataSync();
      for (const [i, value] of predicted(folded, [x])[0]!.entries()) {
        const c = channelOf(i);
        const [gamma, beta] = [of("norm/gamma")[c]!, of("norm/beta")[c]!];
        const [mean, variance] = [of("norm/moving_mean")[c]!, of("norm/moving_variance")[c]!];
        const f = gamma / Math.sqrt(variance + 1e-3);
        const size = Math.abs(f) * (Math.abs(plain[i]!) + Math.abs(mean) + 10) + Math.abs(beta);
        expect(Math.abs(value - (f * (plain[i]! - mean) + beta))).toBeLessThan(4 * EPSILON * size);
      }
    },
  );
});

describe("what is kept", () => {
  it("is a normalization with a quantizer of its own, or before whose layer's bias one stands", async () => {
    const graph = quantizedGraph(functional(), { minimumRank: 1 });
    const snapshot = await snapshotOf(graph);
    for (const id of ["norm/gamma", "norm/input", "conv1/bias"]) {
      const { folded } = both(graph, snapshot, { [id]: { scheme: "clip", bits: 4 } });
      expect(folded.batchNormalizations).toEqual([
        { layer: "norm", reason: `"${id}" has a quantizer of its own` },
      ]);
    }
  });

  it("is one whose factors would not be numbers", async () => {
    const { folded, kept, graph } = await small((snapshot) => {
      const data = Float32Array.of(1, 1, -1e-3, 1, 1);
      const variables = {
        ...snapshot.variables,
        "norm/moving_variance": { shape: [5], dtype: "float32", data },
      };
      return { ...snapshot, variables: variables as Snapshot["variables"] };
    });
    expect(folded.batchNormalizations).toEqual([{ layer: "norm", reason: "its factors are not finite" }]);
    expect(predicted(folded, batch(graph))).toEqual(predicted(kept, batch(graph)));
  });
});

describe("a normalization by an operation", () => {
  it("is kept, and named", async () => {
    const values = { mean: [1, 2, 3], variance: [1, 2, 3], offset: [0, 1, 0], scale: [1, 1, 1] };
    const call = { ...values, variance_epsilon: 1e-3 };
    const layers = [
      ["InputLayer", { name: "in", batch_input_shape: [null, 4] }, []],
      ["Dense", { name: "it", units: 3 }, [[["in", 0, 0, {}]]]],
      ["TFOpLambda", { name: "op", function: "nn.batch_normalization" }, [["it", 0, 0, call]]],
    ] as const;
    const topology = {
      class_name: "Functional",
      keras_version: "2.15.0",
      config: {
        name: "model",
        layers: layers.map(([class_name, config, inbound_nodes]) => ({
          ...{ class_name, config, name: config.name, inbound_nodes },
        })),
        input_layers: [["in", 0, 0]],
        output_layers: [["op", 0, 0]],
      },
    };
    const graph = quantizedGraph(build(topology, "model.json"));
    expect(fold(graph, await uncalibrated(graph), {}).outcomes).toEqual([
      { layer: "op", reason: "it is computed by a layer of class Operation" },
    ]);
  });
});

const TOPOLOGIES = fileURLToPath(new URL("../../../shared/reference/topologies/", import.meta.url));

/** Plain tfjs would take minutes. */
const slow = process.env.AUTOQNN_ENGINE === "reference";

describe.skipIf(slow || !existsSync(TOPOLOGIES))(
  "MobileNetV2 (needs ../shared/reference, native engine)",
  () => {
    it("has all of its 52 folded, to the same output", async () => {
      const json = JSON.parse(readFileSync(`${TOPOLOGIES}MobileNetV2.json`, "utf8"));
      const graph = quantizedGraph(build(json.modelTopology, "MobileNetV2", json.params));
      const start = await uncalibrated(graph);
      const variables = Object.entries(start.variables).map(([id, tensor]): [string, HostTensor] => [
        id,
        { ...tensor, data: weightValues(id, tensor.shape) },
      ]);
      const { kept, folded } = both(graph, { ...start, variables: Object.fromEntries(variables) });
      expect(folded.batchNormalizations.length).toBe(52);
      expect(folded.batchNormalizations.every((outcome) => "into" in outcome)).toBe(true);
      const inputs = batch(graph, 1);
      const [ours, theirs] = [predicted(folded, inputs)[0]!, predicted(kept, inputs)[0]!];
      const largest = Math.max(...theirs);
      for (const [i, value] of theirs.entries())
        expect(Math.abs(ours[i]! - value)).toBeLessThan(1e-5 * largest);
    });
  },
);
