import { existsSync, mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import * as tf from "@tensorflow/tfjs";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { engine } from "../../sdk/engine/index.js";
import { quantizedGraph } from "../../sdk/graph/graph.js";
import { models } from "../../sdk/model/index.js";
import { inputValues } from "../model/formula.js";
import { expectAlike, type Layerwise, layerwise } from "../model/layerwise.js";
import { Keras, missing } from "./serve.js";

const TOPOLOGIES = fileURLToPath(new URL("../../../shared/reference/topologies/", import.meta.url));

type Span = "0..255" | "-1..1";

/** Edges of images, as small as the application takes, and what their values are. */
const APPLICATIONS: readonly (readonly [name: string, edge: number, span: Span])[] = [
  ["ConvNeXtTiny", 64, "0..255"],
  ["DenseNet121", 64, "-1..1"],
  ["EfficientNetB0", 64, "0..255"],
  ["InceptionV3", 75, "-1..1"],
  ["MobileNet", 64, "-1..1"],
  ["MobileNetV2", 64, "-1..1"],
  ["MobileNetV3Small", 64, "0..255"],
  ["NASNetMobile", 64, "-1..1"],
  ["ResNet50", 64, "-1..1"],
  ["VGG16", 32, "-1..1"],
  ["Xception", 71, "-1..1"],
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

  async function compare({ params, macs }: Facts, edge: number, span: Span): Promise<void> {
    const shape = [1, edge, edge, 3];
    const expected = await keras.call<Layerwise>("layerwise", { version: 3, shape, span });
    const [archive, file] = await Promise.all(["keras", "h5"].map(saved));
    expect(archive!.countParams()).toBe(params);
    expectAlike(await layerwise(archive!, inputValues(shape, span), shape), expected);

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

  test.each(APPLICATIONS)(
    "%s computes and counts what Keras does, from .keras and .h5",
    async (name, edge, span) => {
      const input_shape = [edge, edge, 3];
      await compare(await keras.call("application", { version: 3, name, input_shape }), edge, span);
    },
    120_000,
  );

  test.skipIf(!existsSync(TOPOLOGIES))(
    "RegNetX002, which Keras 3 no longer has, too (needs ../shared/reference)",
    async () => {
      const keywords = { path: join(TOPOLOGIES, "RegNetX002.json"), input_shape: [64, 64, 3] };
      await compare(await keras.call("topology", keywords), 64, "0..255");
    },
    120_000,
  );
});
