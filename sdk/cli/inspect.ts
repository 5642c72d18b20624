import { readFile } from "node:fs/promises";
import { join } from "node:path";

interface Options {
  readonly json?: true;
  readonly openDimension?: number;
}

export async function inspect(path: string, { json, openDimension }: Options): Promise<void> {
  const { engine, load, models, quantizedGraph } = await import("../index.js");
  await engine();
  if (await isArtifact(path)) {
    const quantized = await load(path);
    if (!json) return quantized.summary();
    const nodes = quantized.nodes.map(({ staircase, factor, ...node }) => ({
      ...node,
      ...(factor && { factor: { shape: factor.shape, values: [...factor.values] } }),
      thresholds: [...staircase.thresholds],
      levels: [...staircase.levels],
    }));
    const { leftAlone, batchNormalizations, sizes, provenance } = quantized;
    return print({ kind: "artifact", nodes, leftAlone, batchNormalizations, sizes, provenance });
  }
  const graph = quantizedGraph(await models.load(path), openDimension ? { openDimension } : {});
  const table = graph.table();
  if (!json) return console.log(String(table));
  const { inputs, outputs } = graph;
  print({ kind: "model", inputs, outputs, ...table.toJSON() });
}

/** A directory whose model.json says so; a network's model.json has another format. */
async function isArtifact(path: string): Promise<boolean> {
  try {
    return JSON.parse(await readFile(join(path, "model.json"), "utf8")).format === "autoqnn";
  } catch {
    return false;
  }
}

function print(value: unknown): void {
  console.log(JSON.stringify(value, undefined, 2));
}
