import { readFile } from "node:fs/promises";
import { join } from "node:path";

interface Edges {
  readonly openDimension?: number;
  readonly recurrentState?: true;
  readonly attentionProducts?: true;
}

interface Options extends Edges {
  readonly json?: true;
}

export async function inspect(path: string, { json, ...edges }: Options): Promise<void> {
  const { engine, load, models, quantizedGraph } = await import("../index.js");
  await engine();
  if (await isArtifact(path)) {
    await refuseForArtifact(path, edges);
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
  const graph = quantizedGraph(await models.load(path), edges);
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

/** Throws AutoqnnError `bad-option` for what can be asked of a network alone. */
async function refuseForArtifact(path: string, asked: object): Promise<void> {
  const [name] = Object.keys(asked);
  if (name === undefined) return;
  const { AutoqnnError } = await import("../index.js");
  const option = name.replace(/[A-Z]/g, (letter) => `-${letter.toLowerCase()}`);
  throw new AutoqnnError(
    "bad-option",
    `Expected a network at --${option}, received the artifact in ${path}.`,
    "Leave the option out, or give the network that was quantized.",
  );
}

function print(value: unknown): void {
  console.log(JSON.stringify(value, undefined, 2));
}
