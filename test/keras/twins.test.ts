import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import * as tf from "@tensorflow/tfjs";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { engine } from "../../sdk/engine/index.js";
import { quantizedGraph } from "../../sdk/graph/graph.js";
import { models } from "../../sdk/model/index.js";
import { inputValues } from "../model/formula.js";
import { expectAlike, type Layerwise, layerwise } from "../model/layerwise.js";
import { Keras, missing } from "./serve.js";

/** Edges of images: as small as the application takes, so that all of this takes two minutes. */
const APPLICATIONS: readonly (readonly [name: string, edge: number])[] = [
  ["ConvNeXtTiny", 64],
  ["DenseNet121", 64],
  ["EfficientNetB0", 64],
  ["InceptionV3", 75],
  ["MobileNet", 64],
  ["MobileNetV2", 64],
  ["MobileNetV3Small", 64],
  ["NASNetMobile", 64],
  ["ResNet50", 64],
  ["VGG16", 32],
  ["Xception", 71],
];

interface Facts {
  readonly params: number;
  readonly macs: number;
}

const skipped = missing === "" ? "" : ` (skipped: ${missing})`;

const bytes = (tensor: tf.Tensor): Buffer => Buffer.from(tensor.dataSync().slice().buffer);

describe.skipIf(missing !== "")(`Keras Applications as Keras 3 saves them${skipped}`, () => {
  let keras: Keras;
  let folder: string;
  beforeAll(async () => {
    keras = new Keras("twins");
    folder = mkdtempSync(join(tmpdir(), "autoqnn-keras-"));
    await engine();
  });
  afterAll(() => {
    keras.close();
    rmSync(folder, { recursive: true });
  });

  async function compare({ params, macs }: Facts, edge: number): Promise<void> {
    const shape = [1, edge, edge, 3];
    const expected = await keras.call<Layerwise>("layerwise", { version: 3, shape, span: "-1..1" });
    const [archive, file] = await Promise.all(["keras", "h5"].map(saved));
    expect(archive!.countParams()).toBe(params);
    expectAlike(await layerwise(archive!, inputValues(shape, "-1..1"), shape), expected);

    const [graph, same] = [quantizedGraph(archive!), quantizedGraph(file!)];
    expect(graph.nodes.reduce((sum, node) => sum + (node.kind === "weight" ? node.macs : 0), 0)).toBe(macs);
    const [ours, others] = [graph.read(), same.read()];
    expect(Object.keys(others)).toEqual(Object.keys(ours));
    for (const [name, value] of Object.entries(ours))
      expect(bytes(value).equals(bytes(others[name]!)), name).toBe(true);
    tf.dispose([ours, others]);
    for (const model of [archive!, file!]) model.dispose();
  }

  async function saved(format: string): Promise<tf.LayersModel> {
    const path = join(folder, `model.${format}`);
    await keras.call("save", { path });
    const model = await models.load(path);
    rmSync(path);
    return model;
  }

  const WAITING = ["ConvNeXtTiny", "EfficientNetB0", "MobileNet", "MobileNetV3Small"];
  test.each(APPLICATIONS.filter(([name]) => !WAITING.includes(name)))(
    "%s computes and counts what Keras does, from .keras and .h5",
    async (name, edge) => {
      const input_shape = [edge, edge, 3];
      await compare(await keras.call("application", { version: 3, name, input_shape }), edge);
    },
    120_000,
  );
});
