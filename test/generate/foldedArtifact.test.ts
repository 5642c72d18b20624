import { mkdtemp, readdir, readFile, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import * as tf from "@tensorflow/tfjs";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { engine } from "../../sdk/engine/index.js";
import { sha256 } from "../../sdk/generate/artifact.js";
import { load, type QuantizedModel } from "../../sdk/generate/index.js";
import { quantizedGraph } from "../../sdk/graph/graph.js";
import { uncalibrated } from "../../sdk/train/calibrate.js";
import { batch, both, predicted, small } from "./both.js";
import { functional, graphOf, snapshotOf } from "./models.js";
import { hard, NETWORKS } from "./normalized.js";

let root: string;
beforeAll(async () => {
  root = await mkdtemp(join(tmpdir(), "autoqnn-fold-"));
  await engine();
});
afterAll(() => rm(root, { recursive: true, force: true }));

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
    const { folded } = both(graph, await uncalibrated(graph));
    expect(folded.leftAlone).toContainEqual(
      expect.objectContaining({ id: "a_1/bias", layer: "a_1", shape: [4], reason: "rank 1: bias" }),
    );
  });

  it("multiplies a kernel that has no codes", async () => {
    const graph = graphOf(functional());
    const snapshot = hard(await snapshotOf(graph));
    const pair = both(graph, snapshot, { "conv2/kernel": { scheme: "clip", bits: 3 } });
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
    const { folded } = both(graph, await uncalibrated(graph));
    expect(String(folded)).toMatch(/^kept: it follows the model's input +1 +first$/m);
    expect(String((await small()).folded)).toMatch(/^folded into the layer before +1 +norm$/m);
    expect((await small()).folded.toHtml()).toContain("<td>norm</td><td>conv1</td>");
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
