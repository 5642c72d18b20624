import { execFileSync } from "node:child_process";
import { mkdirSync, writeFileSync } from "node:fs";
import { createServer } from "node:http";
import { join } from "node:path";
import { describe, expect, onTestFinished, test } from "vitest";
import { models } from "../../sdk/model/index.js";
import { directory } from "./files.js";

const refusal = (code: string, message: RegExp): unknown =>
  expect.objectContaining({ code, message: expect.stringMatching(message) });

/** A model.json of one weight, which lies where `path` says. */
const modelJson = (path: string): string =>
  JSON.stringify({
    modelTopology: {
      class_name: "Sequential",
      config: {
        name: "one",
        layers: [
          {
            class_name: "Dense",
            config: { name: "d", units: 1, use_bias: false, batch_input_shape: [null, 1] },
          },
        ],
      },
    },
    weightsManifest: [{ paths: [path], weights: [{ name: "d/kernel", shape: [1, 1], dtype: "float32" }] }],
  });
const weight = new Uint8Array(Float32Array.of(3).buffer);

describe("the files beside a model", () => {
  test("may lie below its directory, and not elsewhere", async () => {
    const path = directory();
    mkdirSync(join(path, "model", "deep"), { recursive: true });
    writeFileSync(join(path, "weights.bin"), weight);
    writeFileSync(join(path, "model", "deep", "..weights.bin"), weight);
    const load = (name: string): Promise<unknown> => {
      writeFileSync(join(path, "model", "model.json"), modelJson(name));
      return models.load(join(path, "model"));
    };
    await load("deep/..weights.bin");
    await load("./deep/../deep/..weights.bin");
    for (const name of [
      "../weights.bin",
      join(path, "weights.bin"),
      "../model",
      "deep/../../weights.bin",
      "",
    ]) {
      await expect(load(name)).rejects.toEqual(
        refusal("bad-model", /directory of the model or below, received/),
      );
    }
    for (const url of ["http://localhost/weights.bin", "file:///etc/passwd"]) {
      await expect(load(url)).rejects.toEqual(
        refusal("bad-model", /directory of the model or below, received/),
      );
    }
  });

  test("may not lie on another server", async () => {
    const asked: string[] = [];
    let name = "";
    const server = createServer((request, response) => {
      asked.push(request.url ?? "");
      response.end(request.url?.endsWith(".json") ? modelJson(name) : weight);
    });
    await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
    onTestFinished(() => void server.close());
    const address = server.address();
    if (typeof address !== "object" || address === null) throw new Error("no port");
    const url = `http://127.0.0.1:${address.port}/models/a/model.json`;
    name = "shards/1.bin";
    await models.load(url);
    expect(asked).toEqual(["/models/a/model.json", "/models/a/shards/1.bin"]);
    const strays = [
      "../b/1.bin",
      "%2e%2e/b/1.bin",
      "/etc/passwd",
      "//elsewhere.org/1.bin",
      "http://elsewhere.org/",
      "file:///etc/passwd",
    ];
    for (name of strays) {
      await expect(models.load(url)).rejects.toEqual(refusal("bad-model", /directory of the model or below/));
    }
    expect(asked).toHaveLength(2 + strays.length);
  });
});

describe("a directory", () => {
  test("is refused with neither model.json nor saved_model.pb, and with both", async () => {
    await expect(models.load(directory())).rejects.toEqual(
      refusal("bad-file", /model\.json of a tfjs model or saved_model\.pb of a SavedModel, received neither/),
    );
    const both = directory({ "model.json": "{}", "saved_model.pb": "" });
    await expect(models.load(both)).rejects.toEqual(
      refusal("bad-file", /received model\.json and saved_model\.pb/),
    );
  });

  test.skipIf(process.platform === "win32")("of pipes is not waited for", async () => {
    const path = join(directory(), "model.h5");
    execFileSync("mkfifo", [path]);
    await expect(models.load(path)).rejects.toEqual(refusal("bad-file", /not a regular file/));
  });
});
