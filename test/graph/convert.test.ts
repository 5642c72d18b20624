import * as tf from "@tensorflow/tfjs";
import { beforeAll, describe, expect, it } from "vitest";
import { quantizedGraph } from "../../sdk/graph/graph.js";
import { type Case, classes, merges, wirings } from "./models.js";

const identity = { training: false, quantize: (_: unknown, x: tf.Tensor) => x };
const list = <T>(value: T | T[]): T[] => (Array.isArray(value) ? value : [value]);

/** Random values everywhere, so that zero biases and unit scales hide nothing. */
function randomize(model: tf.LayersModel): void {
  model.setWeights(model.getWeights().map((w, i) => tf.randomUniform(w.shape, 0.1, 0.9, "float32", i + 1)));
}

const loaded = async (model: tf.LayersModel): Promise<tf.LayersModel> => {
  const saved: tf.io.ModelArtifacts[] = [];
  const keep = async (artifacts: tf.io.ModelArtifacts): Promise<tf.io.SaveResult> => {
    saved.push(artifacts);
    return { modelArtifactsInfo: { dateSaved: new Date(0), modelTopologyType: "JSON" } };
  };
  await model.save(tf.io.withSaveHandler(keep));
  return tf.loadLayersModel(tf.io.fromMemory(saved[0]!));
};

beforeAll(() => tf.setBackend("cpu"));

describe("every layer converts, and the pass without quantization is model.predict, bit for bit", () => {
  it.each([...classes, ...merges, ...wirings].map((c) => [c.name, c] as const))(
    "%s",
    (_, { model: make, batch, nodes }: Case) => {
      const model = make();
      randomize(model);
      const x = batch();
      const graph = quantizedGraph(model);
      const values = graph.read();
      const expected = list(model.predict(x) as tf.Tensor | tf.Tensor[]).map((t) => [...t.dataSync()]);
      const { tensors, instances } = { tensors: tf.memory().numTensors, instances: snapshot(model) };

      const seen: string[] = [];
      const actual = tf.tidy(() => {
        const { outputs, updates } = graph.forward(values, x, {
          ...identity,
          quantize: (node, t) => {
            seen.push(node.id);
            return t;
          },
        });
        expect(Object.keys(updates)).toEqual([]);
        return outputs.map((t) => [...t.dataSync()]);
      });

      expect(actual).toEqual(expected);
      expect([...seen].sort()).toEqual(graph.nodes.map((node) => node.id).sort());
      expect(tf.memory().numTensors).toBe(tensors);
      expect(snapshot(model)).toEqual(instances);
      for (const name of nodes ?? [])
        expect(graph.nodes.some((node) => node.id.endsWith(`/${name}`))).toBe(true);
      expect(graph.leftAlone.every(({ reason }) => reason.length > 0)).toBe(true);
      const covered = [...graph.nodes, ...graph.leftAlone].map(({ id }) => id).sort();
      expect(covered).toEqual(
        [...graph.variables.map((v) => v.name), ...[...graph.edges, ...graph.inner].map((e) => e.id)].sort(),
      );
    },
  );

  it.each(
    [...classes, ...wirings]
      .filter(({ name }) => !["RNN", "CategoryEncoding"].includes(name))
      .map((c) => [c.name, c] as const),
  )("%s: the same names after saving and loading", async (_, { model: make }: Case) => {
    const model = make();
    const again = quantizedGraph(await loaded(model));
    const graph = quantizedGraph(model);
    expect(again.nodes).toEqual(graph.nodes);
    expect(again.variables).toEqual(graph.variables);
    expect(again.leftAlone).toEqual(graph.leftAlone);
  });
});

/** The own property names of every object of the model that a pass may touch. */
function snapshot(model: tf.LayersModel): string[][] {
  const layers = model.layers.flatMap((layer) => (layer instanceof tf.LayersModel ? layer.layers : [layer]));
  return [...layers, ...model.weights].map((object) => Object.keys(object));
}
