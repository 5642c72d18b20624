import { readFile } from "node:fs/promises";
import { join } from "node:path";
import type { Command } from "commander";
import { checkAsked, type SensitivityAsked, sensitivityOf } from "./sensitivity.js";

interface Options extends SensitivityAsked {
  readonly json?: true;
  readonly openDimension?: number;
  readonly recurrentState?: true;
  readonly attentionProducts?: true;
}

export async function inspect(path: string, options: Options, command: Command): Promise<void> {
  const { json, openDimension, recurrentState, attentionProducts, ...asked } = options;
  checkAsked(asked, command);
  const { engine, load, models, quantizedGraph } = await import("../index.js");
  await engine();
  if (await isArtifact(path)) {
    await refuseForArtifact(path, options);
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
  const model = await models.load(path);
  const edges = {
    ...(recurrentState && { recurrentState }),
    ...(attentionProducts && { attentionProducts }),
  };
  const graph = quantizedGraph(model, { ...edges, ...(openDimension && { openDimension }) });
  const table = graph.table();
  const { data } = asked;
  const sensitivity = data === undefined ? undefined : await sensitivityOf(model, { ...asked, data }, edges);
  if (!json) return console.log([table, ...(sensitivity ? [sensitivity] : [])].join("\n\n"));
  const { inputs, outputs } = graph;
  print({ kind: "model", inputs, outputs, ...table.toJSON(), sensitivity });
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
async function refuseForArtifact(path: string, { json: _, ...asked }: Options): Promise<void> {
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
