import { readFileSync } from "node:fs";
import { gunzipSync } from "node:zlib";
import { directory } from "./files.js";

export interface Numbers {
  readonly shape: readonly number[];
  readonly values: readonly number[];
}

/** A graph as graphs.py writes it: what the converter of tfjs makes, and what TensorFlow computes for batches of 2 and 3. */
export interface GraphCase {
  readonly name: string;
  readonly shape: readonly number[];
  readonly topology: { readonly node: readonly GraphNode[] };
  readonly signature: { readonly outputs: Readonly<Record<string, unknown>> };
  readonly weights: readonly (Numbers & { readonly name: string; readonly dtype: string })[];
  readonly results: Readonly<Record<string, Readonly<Record<string, Numbers>>>>;
}

export interface GraphNode {
  readonly name: string;
  readonly op: string;
  readonly input?: readonly string[];
  readonly attr?: Readonly<Record<string, unknown>>;
}

export const CASES = JSON.parse(
  gunzipSync(readFileSync(new URL("graphs/graphs.json.gz", import.meta.url))).toString("utf8"),
) as readonly GraphCase[];

export const caseOf = (name: string): GraphCase => CASES.find((each) => each.name === name)!;

/** A directory with the graph as the converter writes it; `change` its nodes before that. */
export function written(
  { topology, signature, weights }: GraphCase,
  change: (node: GraphNode) => GraphNode = (node) => node,
): string {
  const bytes = weights.map(({ dtype, values }) => {
    const data =
      dtype === "float32"
        ? Float32Array.from(values)
        : dtype === "bool"
          ? Uint8Array.from(values)
          : Int32Array.from(values);
    return Buffer.from(data.buffer);
  });
  const specs = weights.map(({ name, shape, dtype }) => ({
    name,
    shape,
    dtype: dtype === "int64" ? "int32" : dtype,
  }));
  const json = {
    format: "graph-model",
    modelTopology: { ...topology, node: topology.node.map(change) },
    userDefinedMetadata: { signature },
    weightsManifest: [{ paths: ["group1-shard1of1.bin"], weights: specs }],
  };
  return directory({ "model.json": JSON.stringify(json), "group1-shard1of1.bin": Buffer.concat(bytes) });
}
