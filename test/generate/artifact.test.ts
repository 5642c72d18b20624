import { mkdir, mkdtemp, readdir, readFile, rm, stat, truncate, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import * as tf from "@tensorflow/tfjs";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { engine } from "../../sdk/engine/index.js";
import { checkDestination, generate, load, type QuantizedModel } from "../../sdk/generate/index.js";
import { modelSize } from "../../sdk/graph/costs.js";
import { models } from "../../sdk/model/index.js";
import { topologyOf } from "../../sdk/model/topology/topology.js";
import { fit, measure } from "../../sdk/staircase/schemes.js";
import { rangeOf } from "../../sdk/train/program.js";
import {
  assignmentOf,
  branched,
  functional,
  graphOf,
  nested,
  PROVENANCE,
  sequences,
  snapshotOf,
} from "./models.js";

let root: string;
beforeAll(async () => {
  root = await mkdtemp(join(tmpdir(), "autoqnn-artifact-"));
  await engine();
});
afterAll(() => rm(root, { recursive: true, force: true }));

const MODELS = { functional, nested, branched, sequences };

async function quantized(make: () => tf.LayersModel) {
  const graph = graphOf(make());
  const [snapshot, assignment] = [await snapshotOf(graph), assignmentOf(graph)];
  return { graph, snapshot, assignment, model: generate(graph, snapshot, assignment, PROVENANCE) };
}

function batch(model: tf.LayersModel, n = 5): tf.Tensor[] {
  return model.inputs.map(({ shape }, i) =>
    tf.randomNormal([n, ...(shape.slice(1) as number[])], 0, 1, "float32", 100 + i),
  );
}

/** The outputs as raw bits, so that -0 and 0 differ. */
function bits(model: QuantizedModel, inputs: tf.Tensor[]): Uint32Array[] {
  return [model.predict(inputs)].flat().map((y) => new Uint32Array(Float32Array.from(y.dataSync()).buffer));
}

describe.each(Object.entries(MODELS))("the artifact of a %s model", (name, make) => {
  it("has on disk the bytes that are counted", async () => {
    const { model, graph, assignment } = await quantized(make);
    const directory = join(root, `${name}-bytes`);
    await model.save(directory);
    const packed = (await stat(join(directory, "packed.bin"))).size;
    expect(packed).toBe(Math.ceil(modelSize(graph, assignment).nodes / 8));
    expect(packed).toBe(model.sizes.packedBytes);
    const floating = (await stat(join(directory, "floating.bin"))).size;
    expect(8 * floating).toBe(modelSize(graph, assignment).leftAlone);
    expect((await readdir(directory)).sort()).toEqual(["floating.bin", "model.json", "packed.bin"]);
  });

  it("loads to bit-identical predictions and the same description", async () => {
    const { model, graph } = await quantized(make);
    const directory = join(root, `${name}-load`);
    await model.save(directory);
    const loaded = await load(directory);
    const inputs = batch(graph.model);
    expect(bits(loaded, inputs)).toEqual(bits(model, inputs));
    expect(loaded.assignment).toEqual(model.assignment);
    expect(loaded.leftAlone).toEqual(model.leftAlone);
    expect(loaded.sizes).toEqual(model.sizes);
    expect(loaded.toString()).toBe(model.toString());
    const again = join(root, `${name}-again`);
    await loaded.save(again);
    for (const file of await readdir(directory)) {
      expect(await readFile(join(again, file))).toEqual(await readFile(join(directory, file)));
    }
  });

  it("predicts what the original model predicts with weights and inputs quantized by hand", async () => {
    const { model, graph, snapshot, assignment } = await quantized(make);
    const staircases = Object.fromEntries(
      graph.nodes.map((node) => {
        const { scheme, bits: b } = assignment[node.id]!;
        const own =
          node.kind === "weight" ? measure(snapshot.variables[node.id]!.data) : snapshot.statistics[node.id]!;
        return [
          node.id,
          fit(scheme, b, own, rangeOf(node, snapshot.signed[node.id]!), snapshot.scales[node.id]!),
        ];
      }),
    );
    const inputs = batch(graph.model);
    const values = graph.read();
    const expected = graph.forward(values, inputs, {
      training: false,
      quantize: (node, x) => tf.tensor(staircases[node.id]!.apply(x.dataSync()), x.shape),
    }).outputs;
    const received = [model.predict(inputs)].flat();
    expect(received.length).toBe(expected.length);
    received.forEach((y, i) => {
      expect(y.shape).toEqual(expected[i]!.shape);
      const difference = tf.max(tf.abs(tf.sub(y, expected[i]!))).dataSync()[0]!;
      expect(difference).toBeLessThan(1e-5);
      const untouched = [graph.model.predict(inputs)].flat()[i] as tf.Tensor;
      expect(tf.max(tf.abs(tf.sub(y, untouched))).dataSync()[0]).toBeGreaterThan(1e-3);
    });
  });

  it("leaves no tensor behind when it predicts", async () => {
    const { model, graph } = await quantized(make);
    const inputs = batch(graph.model);
    tf.dispose(model.predict(inputs));
    const before = tf.memory().numTensors;
    tf.dispose(model.predict(inputs));
    expect(tf.memory().numTensors).toBe(before);
  });
});

describe("generate", () => {
  it("gives the same bytes for the same arguments", async () => {
    const [a, b] = [await quantized(functional), await quantized(functional)];
    await a.model.save(join(root, "same-a"));
    await b.model.save(join(root, "same-b"));
    for (const file of await readdir(join(root, "same-a"))) {
      expect(await readFile(join(root, "same-b", file))).toEqual(await readFile(join(root, "same-a", file)));
    }
  });

  it("writes one topology for a network, whether it was built or loaded", async () => {
    const built = nested();
    await models.save(built, join(root, "built"));
    const loaded = await models.load(join(root, "built", "model.json"));
    const [ours, again] = [built, loaded].map(topologyOf);
    expect(again).toEqual(ours);
    expect(JSON.stringify(ours)).not.toContain('"Model"');
  });

  it("keeps nodes without an assignment in floating point", async () => {
    const { graph, snapshot } = await quantized(functional);
    const model = generate(graph, snapshot, { "conv1/kernel": { scheme: "clip", bits: 3 } }, PROVENANCE);
    expect(model.nodes.map(({ id }) => id)).toEqual(["conv1/kernel"]);
    expect(model.sizes.packedBytes).toBe(Math.ceil((3 * 3 * 3 * 2 * 5) / 8));
    expect(
      model.leftAlone.some(({ id, reason }) => id === "conv2/kernel" && reason === "no scheme assigned"),
    ).toBe(true);
    expect(model.sizes.averageBits).toEqual({ weights: 3, activations: 32 });
    await model.save(join(root, "partial"));
    const inputs = batch(graph.model);
    expect(bits(await load(join(root, "partial")), inputs)).toEqual(bits(model, inputs));
  });

  it("without any assignment predicts what the model predicts", async () => {
    const { graph, snapshot } = await quantized(functional);
    const model = generate(graph, snapshot, {}, PROVENANCE);
    const inputs = batch(graph.model);
    const difference = tf.max(
      tf.abs(tf.sub(model.predict(inputs[0]!), graph.model.predict(inputs[0]!) as tf.Tensor)),
    );
    expect(difference.dataSync()[0]).toBeLessThan(1e-6);
  });

  it("refuses what is not a node, has no such bitwidth, or was never measured", async () => {
    const { graph, snapshot } = await quantized(functional);
    const make =
      (assignment: Parameters<typeof generate>[2], from = snapshot) =>
      () =>
        generate(graph, from, assignment, PROVENANCE);
    expect(make({ "conv9/kernel": { scheme: "clip", bits: 2 } })).toThrow(/conv9\/kernel/);
    expect(make({ "conv1/kernel": { scheme: "pot", bits: 6 } })).toThrow(/1 to 4 bits for pot/);
    expect(make({ "conv2/input": { scheme: "clip", bits: 2 } }, { ...snapshot, statistics: {} })).toThrow(
      /conv2\/input/,
    );
  });
});

describe("predict", () => {
  it("refuses inputs of another number, rank or size", async () => {
    const { model } = await quantized(functional);
    for (const wrong of [
      tf.zeros([2, 6, 6, 3]),
      tf.zeros([6, 6, 2]),
      [tf.zeros([1, 6, 6, 2]), tf.zeros([1])],
      [],
    ]) {
      expect(() => model.predict(wrong)).toThrow(expect.objectContaining({ code: "bad-data" }));
    }
    expect(() => model.predict("image" as unknown as tf.Tensor)).toThrow(
      expect.objectContaining({ code: "bad-data" }),
    );
  });
});

describe("evaluate", () => {
  it("agrees with accuracy and cross-entropy of the predictions, last small batch included", async () => {
    const { model } = await quantized(functional);
    const x = tf.randomNormal([23, 6, 6, 2], 0, 1, "float32", 9);
    const y = tf.tensor1d(
      Array.from({ length: 23 }, (_, i) => i % 3),
      "int32",
    );
    const batches = [0, 10, 20].map((start) => {
      const size = Math.min(10, 23 - start);
      return { x: tf.slice(x, start, size), y: tf.slice(y, start, size) };
    });
    const seen: number[] = [];
    const before = tf.memory().numTensors;
    const result = await model.evaluate(batches, {
      onProgress: ({ step, steps }) => seen.push(step / steps),
    });
    expect(tf.memory().numTensors).toBe(before);
    const p = model.predict(x).arraySync() as number[][];
    const loss = p.reduce((sum, row, i) => sum - Math.log(row[i % 3]!), 0) / 23;
    const correct = p.filter((row, i) => row.indexOf(Math.max(...row)) === i % 3).length;
    expect(result.count).toBe(23);
    expect(result.accuracy).toBeCloseTo(correct / 23, 6);
    expect(result.loss).toBeCloseTo(loss, 4);
    expect(seen).toEqual([1 / 3, 2 / 3, 1]);
  });

  it("refuses labels out of range and models that are no classifiers", async () => {
    const { model } = await quantized(functional);
    const bad = [{ x: tf.zeros([1, 6, 6, 2]), y: tf.tensor1d([3], "int32") }];
    await expect(model.evaluate(bad)).rejects.toMatchObject({ code: "bad-data" });
    const two = await quantized(branched);
    await expect(two.model.evaluate(bad)).rejects.toMatchObject({ code: "bad-model" });
  });
});

describe("save", () => {
  it("replaces an older artifact and keeps what else lies there", async () => {
    const [a, b] = [await quantized(functional), await quantized(nested)];
    const directory = join(root, "replace");
    await a.model.save(directory);
    await writeFile(join(directory, "report.html"), "<p>");
    await b.model.save(directory);
    expect((await load(directory)).assignment).toEqual(b.model.assignment);
    expect((await readdir(directory)).sort()).toEqual([
      "floating.bin",
      "model.json",
      "packed.bin",
      "report.html",
    ]);
  });

  it("goes over what a killed run left", async () => {
    const { model } = await quantized(nested);
    const directory = join(root, "killed");
    await mkdir(join(directory, ".autoqnn-partial"), { recursive: true });
    await writeFile(join(directory, ".autoqnn-partial", "packed.bin"), "half");
    await model.save(directory);
    expect((await readdir(directory)).sort()).toEqual(["floating.bin", "model.json", "packed.bin"]);
  });

  it("refuses a directory with other files, and a path that cannot be one", async () => {
    const { model } = await quantized(nested);
    const foreign = join(root, "foreign");
    await mkdir(foreign);
    await writeFile(join(foreign, "thesis.tex"), "");
    for (const path of [
      foreign,
      join(foreign, "thesis.tex"),
      join(foreign, "thesis.tex", "below"),
      "/proc/artifact",
    ]) {
      await expect(checkDestination(path)).rejects.toMatchObject({ code: "bad-option" });
      await expect(model.save(path)).rejects.toMatchObject({ code: "bad-option" });
    }
    expect(await readdir(foreign)).toEqual(["thesis.tex"]);
  });

  it("checks a destination without leaving a trace", async () => {
    await checkDestination(join(root, "not", "yet"));
    expect(await readdir(root)).not.toContain("not");
  });
});

describe("load", () => {
  const broken: Record<string, (directory: string) => Promise<void>> = {
    "no such directory": (directory) => rm(directory, { recursive: true }),
    "missing packed.bin": (directory) => rm(join(directory, "packed.bin")),
    "missing floating.bin": (directory) => rm(join(directory, "floating.bin")),
    "truncated packed.bin": (directory) => truncate(join(directory, "packed.bin"), 10),
    "longer floating.bin": (directory) =>
      writeFile(join(directory, "floating.bin"), Buffer.alloc(4), { flag: "a" }),
    "one flipped bit": async (directory) => {
      const bytes = await readFile(join(directory, "packed.bin"));
      bytes[3]! ^= 8;
      await writeFile(join(directory, "packed.bin"), bytes);
    },
    "truncated model.json": (directory) => truncate(join(directory, "model.json"), 500),
    "the model.json of a network": (directory) =>
      writeFile(join(directory, "model.json"), '{"format":"layers-model"}'),
    "a later version": (directory) => edit(directory, (json) => (json.version = 3)),
    "a level too few": (directory) => edit(directory, (json) => json.nodes[0].levels.pop()),
    "another shape": (directory) => edit(directory, (json) => json.nodes[0].shape.reverse()),
    "an unknown scheme": (directory) => edit(directory, (json) => (json.nodes[0].scheme = "magic")),
    "a shifted offset": (directory) => edit(directory, (json) => (json.floating[1].offset += 1)),
    "another number of bits": (directory) => edit(directory, (json) => (json.nodes[0].bits -= 1)),
    "a node that the topology does not have": (directory) =>
      edit(directory, (json) => (json.nodes[0].id = "conv9/kernel")),
  };

  it.each(Object.entries(broken))("refuses %s", async (name, damage) => {
    const { model } = await quantized(functional);
    const directory = join(root, `broken-${name.replaceAll(" ", "-")}`);
    await model.save(directory);
    await damage(directory);
    const error = await load(directory).then(
      () => undefined,
      (reason: unknown) => reason,
    );
    expect(error).toMatchObject({ code: "bad-file" });
    expect((error as Error).message).toContain(directory);
    expect((error as Error).message).toMatch(/Expected .+, received .+/);
  });
});

describe("load of a model with layers of its own", () => {
  it("names the class that is not registered", async () => {
    const { model } = await quantized(functional);
    const directory = join(root, "magic");
    await model.save(directory);
    await edit(directory, (json) => (json.topology.config.layers[1].class_name = "Magic"));
    await expect(load(directory)).rejects.toMatchObject({
      code: "bad-model",
      message: expect.stringMatching(/Magic.+conv1.+registerClass/),
    });
  });
});

// biome-ignore lint/suspicious/noExplicitAny: the file is damaged in ways that no type allows.
async function edit(directory: string, change: (json: any) => void): Promise<void> {
  const path = join(directory, "model.json");
  const json = JSON.parse(await readFile(path, "utf8"));
  change(json);
  await writeFile(path, JSON.stringify(json));
}
