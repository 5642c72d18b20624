import { mkdtemp, readdir, readFile, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import * as tf from "@tensorflow/tfjs";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { engine } from "../../sdk/engine/index.js";
import { sha256 } from "../../sdk/generate/artifact.js";
import { fold, generate, load, type QuantizedModel } from "../../sdk/generate/index.js";
import { type QuantizedGraph, quantizedGraph } from "../../sdk/graph/graph.js";
import { uncalibrated } from "../../sdk/train/calibrate.js";
import type { Assignment } from "../../sdk/train/policy.js";
import type { Snapshot } from "../../sdk/train/snapshot.js";
import { assignmentOf, functional, graphOf, PROVENANCE, snapshotOf } from "./models.js";
import { hard, KINDS, NETWORKS, type Normalized } from "./normalized.js";

let root: string;
beforeAll(async () => {
  root = await mkdtemp(join(tmpdir(), "autoqnn-fold-"));
  await engine();
});
afterAll(() => rm(root, { recursive: true, force: true }));

/** Kernels in three bits, inputs as they are: a quantizer of inputs would turn roundings into steps. */
const kernelsOf = (graph: QuantizedGraph): Assignment =>
  Object.fromEntries(
    graph.nodes.flatMap(({ id, kind }) =>
      kind === "weight" && /kernel$/.test(id) ? [[id, { scheme: "clip", bits: 3 }]] : [],
    ),
  );

interface Both {
  readonly snapshot: Snapshot;
  readonly graph: QuantizedGraph;
  readonly kept: QuantizedModel;
  readonly folded: QuantizedModel;
}

async function both(
  graph: QuantizedGraph,
  snapshot: Snapshot,
  assignment: Assignment = kernelsOf(graph),
): Promise<Both> {
  const packed = await fold(graph, snapshot, assignment);
  return {
    snapshot,
    graph,
    kept: generate(graph, snapshot, assignment, PROVENANCE),
    folded: generate(graph, snapshot, assignment, PROVENANCE, packed),
  };
}

async function hardly({ model }: Normalized): Promise<Both> {
  const graph = quantizedGraph(model());
  return both(graph, hard(await uncalibrated(graph)));
}

const batch = ({ model }: QuantizedGraph, n = 3): tf.Tensor[] =>
  model.inputs.map(({ shape }, i) =>
    tf.randomNormal([n, ...(shape.slice(1) as number[])], 0, 1, "float32", 7 + i),
  );

const predicted = (model: QuantizedModel, inputs: tf.Tensor[]): Float32Array[] =>
  [model.predict(inputs)].flat().map((y) => y.dataSync() as Float32Array);

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
      const folded = generate(graph, snapshot, {}, PROVENANCE, await fold(graph, snapshot, {}));
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

/** Small enough to look at, with quantized inputs: conv1 with a bias, norm, relu, conv2. */
async function small(change: (snapshot: Snapshot) => Snapshot = (snapshot) => snapshot): Promise<Both> {
  const graph = graphOf(functional());
  return both(graph, change(await snapshotOf(graph)), assignmentOf(graph));
}

/** The bytes of an artifact's files. */
async function saved(model: QuantizedModel, name: string): Promise<Record<string, Buffer>> {
  const directory = join(root, name);
  await model.save(directory);
  const files = await readdir(directory);
  return Object.fromEntries(
    await Promise.all(files.map(async (file) => [file, await readFile(join(directory, file))] as const)),
  );
}

/** Nodes as text: all values, not the functions of their staircases. */
const described = (nodes: readonly object[]): string => JSON.stringify(nodes);

describe("a folded artifact", () => {
  it("has the codes and nodes of the other, two vectors instead of five, and no batch normalization", async () => {
    const { kept, folded } = await small();
    const [before, after] = [await saved(kept, "kept"), await saved(folded, "folded")];
    expect(after["packed.bin"]).toEqual(before["packed.bin"]);
    expect(after["floating.bin"]!.length).toBe(before["floating.bin"]!.length - 3 * 5 * 4);
    expect(folded.sizes).toEqual({
      ...kept.sizes,
      floatingBytes: kept.sizes.floatingBytes - 60,
      memoryBytes: { peak: kept.sizes.memoryBytes.peak - 60, sum: kept.sizes.memoryBytes.sum - 60 },
    });
    expect(folded.assignment).toEqual(kept.assignment);
    expect(described(folded.nodes.map(({ factor, ...node }) => node))).toBe(described(kept.nodes));
    expect(folded.nodes.filter(({ factor }) => factor).map(({ id, factor }) => [id, factor!.shape])).toEqual([
      ["conv1/kernel", [1, 1, 1, 5]],
    ]);
    const ofNorm = ({ id }: { id: string }) => id.startsWith("norm/");
    expect(folded.leftAlone).toEqual(kept.leftAlone.filter((edge) => !ofNorm(edge)));
    expect(after["model.json"]!.toString()).not.toContain("BatchNormalization");
    expect(before["model.json"]!.toString()).toContain("BatchNormalization");
  });

  it("loads to bit-identical predictions and the same description, and is saved as it was", async () => {
    const { graph, folded } = await small();
    const files = await saved(folded, "once");
    const loaded = await load(join(root, "once"));
    const inputs = batch(graph, 5);
    expect(predicted(loaded, inputs)).toEqual(predicted(folded, inputs));
    expect(described(loaded.nodes)).toBe(described(folded.nodes));
    expect(loaded.batchNormalizations).toEqual([{ layer: "norm", into: "conv1" }]);
    expect(loaded.toString()).toBe(folded.toString());
    expect(await saved(loaded, "again")).toEqual(files);
  });

  it("names a bias that the layer did not have among what is left alone", async () => {
    const graph = quantizedGraph(NETWORKS[0]!.model());
    const { folded } = await both(graph, await uncalibrated(graph));
    expect(folded.leftAlone).toContainEqual(
      expect.objectContaining({ id: "a_1/bias", layer: "a_1", shape: [4], reason: "rank 1: bias" }),
    );
  });

  it("multiplies a kernel that has no codes", async () => {
    const graph = graphOf(functional());
    const snapshot = hard(await snapshotOf(graph));
    const pair = await both(graph, snapshot, { "conv2/kernel": { scheme: "clip", bits: 3 } });
    expect(pair.folded.batchNormalizations).toEqual([{ layer: "norm", into: "conv1" }]);
    expect(pair.folded.nodes.every(({ factor }) => factor === undefined)).toBe(true);
    const inputs = batch(graph);
    const [ours, theirs] = [predicted(pair.folded, inputs)[0]!, predicted(pair.kept, inputs)[0]!];
    for (const [i, value] of theirs.entries()) expect(ours[i]).toBeCloseTo(value, 5);
  });

  it("agrees behind quantized inputs but where a rounding meets a threshold", async () => {
    const pair = await small(hard);
    const inputs = batch(pair.graph, 200);
    const [ours, theirs] = [predicted(pair.folded, inputs)[0]!, predicted(pair.kept, inputs)[0]!];
    const apart = theirs.filter((value, i) => Math.abs(ours[i]! - value) > 1e-5);
    expect(apart.length).toBeLessThan(0.05 * theirs.length);
  });

  it("tells what became of each normalization", async () => {
    const graph = quantizedGraph(NETWORKS[3]!.model());
    const { folded } = await both(graph, await uncalibrated(graph));
    expect(String(folded)).toMatch(/^kept: it follows the model's input +1 +first$/m);
    expect(String((await small()).folded)).toMatch(/^folded into the layer before +1 +norm$/m);
    expect((await small()).folded.toHtml()).toContain("<td>norm</td><td>conv1</td>");
  });
});

describe("what is kept", () => {
  it("is a normalization with a quantizer of its own, or before whose layer's bias one stands", async () => {
    const graph = quantizedGraph(functional(), { minimumRank: 1 });
    const snapshot = await snapshotOf(graph);
    for (const id of ["norm/gamma", "norm/input", "conv1/bias"]) {
      const { folded } = await both(graph, snapshot, { [id]: { scheme: "clip", bits: 4 } });
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

describe("load", () => {
  it("reads artifacts of version 1", async () => {
    const directory = new URL("fixtures/version1/", import.meta.url).pathname;
    const old = await load(directory);
    const values = Array.from({ length: 144 }, (_, i) => Math.sin(i));
    const y = old.predict(tf.tensor(values, [2, 6, 6, 2])).dataSync();
    const expected = JSON.parse(await readFile(join(directory, "predictions.json"), "utf8")).flat();
    for (const [i, value] of y.entries()) expect(value).toBeCloseTo(expected[i], 5);
    expect(old.batchNormalizations).toEqual([]);
    const again = await saved(old, "version1");
    expect(again["packed.bin"]).toEqual(await readFile(join(directory, "packed.bin")));
    expect((await load(join(root, "version1"))).assignment).toEqual(old.assignment);
  });

  // biome-ignore lint/suspicious/noExplicitAny: the file is damaged in ways that no type allows.
  const broken: Record<string, (json: any) => void> = {
    "a factor of another shape": (json) => (json.nodes[0].factor.shape = [1, 1, 1, 4]),
    "a factor of another rank": (json) => (json.nodes[0].factor.shape = [5]),
    "a factor elsewhere": (json) => (json.nodes[0].factor.offset -= 1),
    "a factor of an input": (json) => (json.nodes[2].factor = json.nodes[0].factor),
    "no factor where one was written": (json) => delete json.nodes[0].factor,
    "factors in version 1": (json) => (json.version = 1),
    "an outcome without reason": (json) => (json.batchNormalizations = [{ layer: "norm" }]),
  };

  it.each(Object.entries(broken))("refuses %s", async (name, damage) => {
    const { folded } = await small();
    const directory = join(root, name.replaceAll(" ", "-"));
    await folded.save(directory);
    const path = join(directory, "model.json");
    const json = JSON.parse(await readFile(path, "utf8"));
    damage(json);
    await writeFile(path, JSON.stringify(json));
    await expect(load(directory)).rejects.toMatchObject({
      code: "bad-file",
      message: expect.stringMatching(/Expected .+, received .+model\.json/),
    });
  });

  it("refuses factors that are not finite, though the checksum fits", async () => {
    const { folded } = await small();
    const directory = join(root, "infinite");
    await folded.save(directory);
    const path = (file: string) => join(directory, file);
    const bytes = await readFile(path("floating.bin"));
    bytes.writeFloatLE(Number.NaN, bytes.length - 4);
    await writeFile(path("floating.bin"), bytes);
    const json = JSON.parse(await readFile(path("model.json"), "utf8"));
    json.checksums.floating = sha256(bytes);
    await writeFile(path("model.json"), JSON.stringify(json));
    await expect(load(directory)).rejects.toThrow(/finite factors at "conv1\/kernel", received NaN/);
  });
});
