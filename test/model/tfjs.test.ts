import { readFileSync, writeFileSync } from "node:fs";
import { createServer } from "node:http";
import { join } from "node:path";
import { pathToFileURL } from "node:url";
import * as tf from "@tensorflow/tfjs";
import { describe, expect, onTestFinished, test } from "vitest";
import { checkWeights, models } from "../../sdk/model/index.js";
import { directory, file } from "./files.js";

function nested(): tf.LayersModel {
  const stem = tf.sequential({ name: "stem" });
  stem.add(
    tf.layers.conv2d({ filters: 3, kernelSize: 3, padding: "same", inputShape: [5, 5, 2], name: "conv" }),
  );
  stem.add(tf.layers.batchNormalization({ name: "norm" }));
  const image = tf.input({ shape: [5, 5, 2], name: "image" });
  const shared = tf.layers.depthwiseConv2d({
    kernelSize: 3,
    padding: "same",
    name: "shared",
    depthwiseRegularizer: tf.regularizers.l2({ l2: 0.1 }),
  });
  const x = stem.apply(image) as tf.SymbolicTensor;
  const y = shared.apply(shared.apply(x)) as tf.SymbolicTensor;
  const sum = tf.layers.add({ name: "sum" }).apply([x, y]) as tf.SymbolicTensor;
  const flat = tf.layers.flatten({ name: "flat" }).apply(sum) as tf.SymbolicTensor;
  const scores = tf.layers
    .dense({ units: 4, activation: "softmax", name: "scores" })
    .apply(flat) as tf.SymbolicTensor;
  return tf.model({ inputs: image, outputs: scores, name: "nested" });
}

function recurrent(): tf.LayersModel {
  const model = tf.sequential({ name: "recurrent" });
  model.add(tf.layers.embedding({ inputDim: 7, outputDim: 3, inputLength: 4, name: "words" }));
  model.add(
    tf.layers.bidirectional({
      layer: tf.layers.lstm({ units: 2, returnSequences: true, name: "l" }),
      mergeMode: "concat",
      name: "both",
    }),
  );
  model.add(
    tf.layers.rnn({
      cell: [tf.layers.gruCell({ units: 3, name: "one" }), tf.layers.lstmCell({ units: 2, name: "two" })],
      name: "stack",
      returnSequences: true,
    }),
  );
  model.add(tf.layers.timeDistributed({ layer: tf.layers.dense({ units: 2, name: "d" }), name: "each" }));
  return model;
}

/** Fills every weight with values of its own. */
function filled(model: tf.LayersModel): tf.LayersModel {
  model.setWeights(
    model.weights.map(({ shape }, n) => {
      const size = (shape as number[]).reduce((a, b) => a * b, 1);
      return tf.tensor(
        Float32Array.from({ length: size }, (_, i) => 0.3 + 0.2 * Math.sin(i + n)),
        shape as number[],
      );
    }),
  );
  return model;
}

const refusal = (code: string, message: RegExp): unknown =>
  expect.objectContaining({ code, message: expect.stringMatching(message) });

describe("models.save and models.load", () => {
  test.each([
    ["functional, nested and shared", nested, () => tf.randomUniform([2, 5, 5, 2], -1, 1, "float32", 1)],
    ["sequential and recurrent", recurrent, () => tf.tensor2d([[0, 1, 2, 6]])],
  ])("bring a model back bit for bit: %s", async (_, make, input) => {
    const [model, path, x] = [filled(make()), join(directory(), "deep", "er"), input()];
    await models.save(model, path);
    const again = await models.load(path);
    expect((again.predict(x) as tf.Tensor).dataSync()).toEqual((model.predict(x) as tf.Tensor).dataSync());
    expect([again.name, again.countParams()]).toEqual([model.name, model.countParams()]);
    await models.save(again, path);
    const third = await models.load(pathToFileURL(join(path, "model.json")).href);
    expect((third.predict(x) as tf.Tensor).dataSync()).toEqual((model.predict(x) as tf.Tensor).dataSync());
  });

  test("read what tfjs saves, in several shards and quantized, over http", async () => {
    const model = filled(nested());
    const path = directory();
    await models.save(model, path);
    const json = JSON.parse(readFileSync(join(path, "model.json"), "utf8"));
    const weights = readFileSync(join(path, "weights.bin"));
    writeFileSync(join(path, "one.bin"), weights.subarray(0, 100));
    writeFileSync(join(path, "two.bin"), weights.subarray(100));
    json.weightsManifest[0].paths = ["one.bin", "two.bin"];
    writeFileSync(join(path, "model.json"), JSON.stringify(json));
    const server = createServer((request, response) => {
      try {
        response.end(readFileSync(join(path, request.url!)));
      } catch {
        response.writeHead(404).end();
      }
    });
    await new Promise<void>((listening) => server.listen(0, "127.0.0.1", listening));
    onTestFinished(() => void server.close());
    const address = server.address() as { port: number };
    const url = `http://127.0.0.1:${address.port}/model.json`;
    const x = tf.ones([1, 5, 5, 2]);
    const expected = (model.predict(x) as tf.Tensor).dataSync();
    expect(((await models.load(url)).predict(x) as tf.Tensor).dataSync()).toEqual(expected);
    await expect(models.load(url.replace("model", "other"))).rejects.toEqual(
      refusal("bad-file", /status 404.*other\.json/),
    );

    const specs = json.weightsManifest[0].weights as { quantization?: object }[];
    for (const spec of specs) spec.quantization = { dtype: "uint8", min: 0, scale: 0.002 };
    json.weightsManifest[0].paths = ["bytes.bin"];
    writeFileSync(join(path, "model.json"), JSON.stringify(json));
    writeFileSync(join(path, "bytes.bin"), new Uint8Array(weights.length / 4).fill(50));
    const [first] = (await models.load(path)).getWeights();
    expect(first!.dataSync()[0]).toBeCloseTo(0.1);
  });

  test("refuse a manifest that does not fit", async () => {
    const path = directory();
    await models.save(filled(nested()), path);
    const json = JSON.parse(readFileSync(join(path, "model.json"), "utf8"));
    const weights = readFileSync(join(path, "weights.bin"));
    const change = (
      edit: (specs: { name: string; shape: number[] }[]) => void,
      bytes = weights,
    ): Promise<tf.LayersModel> => {
      const copy = structuredClone(json);
      edit(copy.weightsManifest[0].weights);
      return models.load(
        join(directory({ "model.json": JSON.stringify(copy), "weights.bin": bytes }), "model.json"),
      );
    };
    const nothing = (): void => {};
    await expect(change(nothing, weights.subarray(4))).rejects.toEqual(
      refusal("bad-model", /bytes of weights.*weights\.bin/),
    );
    const renamed = change((specs) => {
      specs[0]!.name = "conv/other";
    });
    await expect(renamed).rejects.toEqual(
      refusal("bad-model", /none for stem\/conv\/kernel and conv\/other that no layer has/),
    );
    const turned = change((specs) => specs[0]!.shape.reverse());
    await expect(turned).rejects.toEqual(
      refusal("bad-model", /shape \[3, 3, 2, 3\] for stem\/conv\/kernel, received \[3, 2, 3, 3\]/),
    );
    const absurd = change((specs) => {
      specs[0]!.shape = [2 ** 40];
    });
    await expect(absurd).rejects.toEqual(refusal("bad-model", /bytes of weights/));
    const odd = change((specs) => {
      specs[0]!.shape = [-1];
    });
    await expect(odd).rejects.toEqual(refusal("bad-model", /a weight as \{ name, shape, dtype \}/));
    const nan = Buffer.from(weights);
    nan.writeFloatLE(Number.POSITIVE_INFINITY, 8);
    await expect(change(nothing, nan)).rejects.toEqual(
      refusal("bad-model", /Infinity at stem\/conv\/kernel, element 2/),
    );
  });

  test("refuse what is no layers model", async () => {
    await expect(models.load(file("model.json", '{"format": "graph-model"}'))).rejects.toEqual(
      refusal("bad-model", /a list as weightsManifest/),
    );
    await expect(
      models.load(file("m.json", '{"modelTopology": {"node": []}, "weightsManifest": []}')),
    ).rejects.toEqual(refusal("bad-model", /a graph with inputs and outputs/));
    await expect(models.load(file("m.bin", "TFL3 and so on"))).rejects.toEqual(
      refusal("bad-model", /a model file, received the bytes 54464c33/),
    );
    await expect(models.load(file("m.bin", ""))).rejects.toEqual(refusal("bad-model", /of nothing/));
    await expect(models.load(file("m.json", '{"a": '))).rejects.toEqual(
      refusal("bad-model", /Expected JSON/),
    );
    await expect(models.load("/nowhere/model.json")).rejects.toEqual(
      refusal("bad-file", /readable model file.*\/nowhere/),
    );
    await expect(models.load(directory())).rejects.toEqual(refusal("bad-file", /model\.json/));
  });

  test("save refuses a directory that cannot be", async () => {
    const taken = file("taken", "");
    await expect(models.save(filled(nested()), join(taken, "out"))).rejects.toEqual(
      refusal("bad-file", /can be written/),
    );
  });

  test("bring back weights of one name in different models", async () => {
    const half = (name: string): tf.Sequential => {
      const model = tf.sequential({ name });
      model.add(tf.layers.dense({ units: 2, inputShape: [2], name: "same" }));
      return model;
    };
    const both = tf.sequential();
    both.add(half("left"));
    both.add(half("right"));
    const path = directory();
    await models.save(filled(both), path);
    const values = (model: tf.LayersModel): unknown => model.getWeights().map((weight) => weight.arraySync());
    expect(values(await models.load(path))).toEqual(values(both));
  });
});

test("checkWeights names the tensor and the element, and passes a sound model", () => {
  const model = filled(nested());
  expect(() => checkWeights(model)).not.toThrow();
  const weights = model.getWeights();
  model.setWeights(weights.map((w, i) => (i === weights.length - 1 ? tf.tensor1d([1, Number.NaN, 1]) : w)));
  const before = tf.memory().numTensors;
  expect(() => checkWeights(model)).toThrow(
    expect.objectContaining({
      code: "bad-model",
      message: expect.stringMatching(/NaN at stem\/norm\/moving_variance, element 1/),
    }),
  );
  expect(tf.memory().numTensors).toBe(before);
});
