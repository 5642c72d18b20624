import * as tf from "@tensorflow/tfjs";
import { beforeAll, describe, expect, it } from "vitest";
import { type GraphOptions, quantizedGraph } from "../../sdk/graph/graph.js";
import { residual } from "./models.js";

const l = tf.layers;
const ids = (options: GraphOptions): string[] =>
  quantizedGraph(residual(), options).nodes.map(({ id }) => id);
const reason = (model: tf.LayersModel, id: string, options?: GraphOptions): string | undefined =>
  quantizedGraph(model, options).leftAlone.find((edge) => edge.id === id)?.reason;

beforeAll(() => tf.setBackend("cpu"));

describe("which edges are nodes", () => {
  it("says why an edge is left alone", () => {
    const model = residual();
    expect(reason(model, "stem_bn/gamma")).toBe("rank 1: gamma");
    expect(reason(model, "stem/input")).toBe("model input: already 8-bit data");
    expect(reason(model, "add1/input:1")).toBe("its layer owns no quantized weight");
    expect(reason(model, "b1/kernel", { exclude: ["b1/*"] })).toBe('excluded by "b1/*"');
    expect(reason(model, "b1/input", { exclude: ["b1/kernel"] })).toBe("its layer owns no quantized weight");
    const words = tf.sequential({
      layers: [l.embedding({ name: "words", inputDim: 9, outputDim: 2, inputShape: [3] })],
    });
    expect(reason(words, "words/input")).toBe("integers: positions in a table");
    const sentences = tf.sequential({
      layers: [
        l.timeDistributed({
          ...{ name: "each", inputShape: [2, 3] },
          layer: l.embedding({ inputDim: 9, outputDim: 2 }),
        }),
        l.prelu({ name: "slope" }),
      ],
    });
    expect(reason(sentences, "each/input", { quantizeInput: true })).toBe("integers: positions in a table");
    expect(reason(sentences, "slope/alpha")).toBe("a slope of single values");
    expect(reason(sentences, "slope/alpha", { minimumRank: 2 })).toBeUndefined();
  });

  it("follows the model's input through layers that only move it", () => {
    const model = tf.sequential({
      layers: [
        l.rescaling({ name: "scale", scale: 1 / 255, inputShape: [4, 4, 1] }),
        l.flatten({ name: "flat" } as never),
        l.dense({ name: "d", units: 3 }),
        l.dense({ name: "e", units: 3 }),
      ],
    });
    expect(reason(model, "d/input")).toBe("model input: already 8-bit data");
    const all = quantizedGraph(model, { quantizeInput: true }).nodes.map(({ id }) => id);
    expect(all).toEqual(["d/kernel", "d/input", "e/kernel", "e/input"]);
  });

  it("takes patterns, and a rank", () => {
    expect(ids({ exclude: ["*/input*"] }).every((id) => id.endsWith("kernel"))).toBe(true);
    expect(ids({ minimumRank: 1 })).toContain("stem_bn/gamma");
    expect(ids({ minimumRank: 3 })).not.toContain("predictions/kernel");
  });

  it("pins nodes; later patterns win", () => {
    const graph = quantizedGraph(residual(), {
      pin: { "*": { bits: 4 }, "predictions/*": { bits: 8, scheme: "clip" } },
    });
    const pins = new Map(graph.nodes.map(({ id, pin }) => [id, pin]));
    expect(pins.get("stem/kernel")).toEqual({ bits: 4 });
    expect(pins.get("predictions/input")).toEqual({ bits: 8, scheme: "clip" });
    expect(String(graph.table())).toMatch(/predictions\/kernel .* clip at 8 bits$/m);
  });

  it("refuses patterns that match nothing with near names, and pins that are none", () => {
    expect(() => ids({ exclude: ["predictons/kernel"] })).toThrow(
      /exclude.*"predictons\/kernel".*"predictions\/kernel"/s,
    );
    expect(() => ids({ pin: { "stem/input": { bits: 2 } } })).toThrow(/Expected a pattern in pin/);
    expect(() => ids({ pin: { "stem/*": { bits: 9 } } })).toThrow(/1 to 8.*received 9/s);
    expect(() => ids({ pin: { "stem/*": { scheme: "pot", bits: 6 } } })).toThrow(/1 to 4.*received 6/s);
    expect(() => ids({ pin: { "stem/*": { scheme: "nearest" as never } } })).toThrow(/nearest/);
  });

  it("counts open dimensions as told", () => {
    const model = tf.sequential({
      layers: [l.gru({ name: "gru", units: 2, inputShape: [null, 3] as never })],
    });
    const macs = (options?: GraphOptions): number => quantizedGraph(model, options).nodes[0]!.macs;
    expect([macs(), macs({ openDimension: 10 })]).toEqual([18, 180]);
  });

  it("refuses models that keep state from batch to batch", () => {
    const stateful = tf.sequential({
      layers: [l.lstm({ name: "memory", units: 2, stateful: true, batchInputShape: [1, 3, 2] })],
    });
    expect(() => quantizedGraph(stateful)).toThrow(/stateful layer "memory"/);
  });
});
