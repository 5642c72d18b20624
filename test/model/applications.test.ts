import { existsSync, readFileSync } from "node:fs";
import { fileURLToPath } from "node:url";
import { beforeAll, describe, expect, test } from "vitest";
import { engine } from "../../sdk/engine/index.js";
import { quantizedGraph } from "../../sdk/graph/graph.js";
import { models } from "../../sdk/model/index.js";
import { inputValues } from "./formula.js";
import { expectAlike, fillByFormula, layerwise } from "./layerwise.js";

/** What Keras 2 computed for a model: layers are rows of name, shape, mean, deviation. */
interface Expected {
  readonly input: { readonly shape: number[]; readonly range: "0..255" | "-1..1" };
  readonly params: number;
  readonly layers: readonly (readonly [string, readonly number[], number, number])[];
  readonly features: readonly number[];
  readonly output: readonly number[];
}

const REFERENCE = fileURLToPath(new URL("../../../shared/reference/", import.meta.url));
const absent = !existsSync(REFERENCE);
const read = (name: string): unknown => JSON.parse(readFileSync(`${REFERENCE}${name}`, "utf8"));
const expected = absent ? {} : (read("topology-outputs.json") as Record<string, Expected>);

/** Layer classes with kernels, by the names of those kernels. */
const KERNELS: Readonly<Record<string, readonly string[]>> = {
  Conv2D: ["kernel"],
  Dense: ["kernel"],
  DepthwiseConv2D: ["depthwise_kernel"],
  SeparableConv2D: ["depthwise_kernel", "pointwise_kernel"],
};

interface Written {
  readonly class_name: string;
  readonly config: { readonly name: string; readonly layers?: readonly Written[] };
}

/** The ids of all kernels that a topology has, read from its JSON alone. */
function kernels({ config: { layers = [] } }: Written, path = ""): string[] {
  return layers.flatMap((layer) => {
    const at = `${path}${layer.config.name}/`;
    return [...kernels(layer, at), ...(KERNELS[layer.class_name] ?? []).map((kernel) => at + kernel)];
  });
}

describe.skipIf(absent)("Keras Applications by topology (needs ../shared/reference)", () => {
  beforeAll(() => void engine());

  test.each(Object.entries(expected))(
    "%s computes what Keras 2 computes, layer by layer, and converts whole",
    async (name, { input, params, layers, features, output }) => {
      const model = await models.load(`${REFERENCE}topologies/${name}.json`);
      expect(model.countParams()).toBe(params);

      const graph = quantizedGraph(model);
      fillByFormula(graph);
      const { shape, range } = input;
      const found = await layerwise(model, inputValues(shape, range), shape);
      const [, ...rest] = layers;
      const named = rest.map(([name, shape, mean, deviation]) => ({ name, shape, mean, deviation }));
      expectAlike(found, { layers: named, features, output });

      const topology = (read(`topologies/${name}.json`) as { modelTopology: Written }).modelTopology;
      const weights = graph.nodes.filter(({ kind }) => kind === "weight").map(({ id }) => id);
      expect(weights.toSorted()).toEqual(kernels(topology).toSorted());
      for (const { kind, layer, reason } of graph.leftAlone) {
        if (kind === "input" && graph.nodes.some((node) => node.layer === layer))
          expect(reason).toBe("model input: already 8-bit data");
      }
      model.dispose();
    },
    120_000,
  );
});
