import { badModel } from "../badModel.js";
import { type Config, isConfig, show } from "../config.js";

/** A tensor of the graph: output `output` of the node `node`. */
export interface TensorName {
  readonly node: string;
  readonly output: number;
}

/** A node of a TensorFlow graph: one operation on the results of others. */
export interface GraphNode {
  readonly name: string;
  readonly op: string;
  readonly inputs: readonly TensorName[];
  /** Plain values: numbers, words, lists, shapes with -1 for what is open. */
  readonly attributes: Config;
}

const AGAIN = "Convert the model again with tensorflowjs_converter.";

/**
 * The nodes of a GraphDef as JSON, by name.
 *
 * @throws AutoqnnError `bad-model` for what is none, and for a name that two nodes have.
 */
export function readNodes(graph: unknown, where: string): ReadonlyMap<string, GraphNode> {
  const list = isConfig(graph) ? graph.node : undefined;
  if (!Array.isArray(list)) throw badModel("a list of nodes", show(list), where, AGAIN);
  const nodes = new Map<string, GraphNode>();
  for (const item of list as unknown[]) {
    const node = readNode(item, where);
    if (nodes.has(node.name))
      throw badModel("nodes of different names", `"${node.name}" twice`, where, AGAIN);
    nodes.set(node.name, node);
  }
  return nodes;
}

function readNode(value: unknown, where: string): GraphNode {
  if (!isConfig(value) || typeof value.name !== "string" || typeof value.op !== "string") {
    throw badModel("a node as { name, op, input, attr }", show(value), where, AGAIN);
  }
  const { name, op, input = [], attr = {} } = value;
  const at = `node "${name}" of ${where}`;
  if (!Array.isArray(input) || !input.every((each): each is string => typeof each === "string")) {
    throw badModel("names as input", show(input), at, AGAIN);
  }
  if (!isConfig(attr)) throw badModel("attributes as attr", show(attr), at, AGAIN);
  const attributes = Object.entries(attr).flatMap(([key, each]) => {
    const plain = isConfig(each) ? readAttribute(key, each, at) : undefined;
    return plain === undefined || key.startsWith("_") ? [] : [[key, plain] as const];
  });
  // A name after ^ says what runs before, not what is read.
  const inputs = input.filter((each) => !each.startsWith("^")).map(tensorName);
  return { name, op, inputs, attributes: Object.fromEntries(attributes) };
}

/** "node:1" is the second result of the node, "node" the first. */
export function tensorName(text: string): TensorName {
  const [, node = text, output = "0"] = /^(.*):(\d+)$/.exec(text) ?? [];
  return { node, output: Number(output) };
}

const word = (base64: unknown): string => Buffer.from(String(base64), "base64").toString("utf8");
const dimensions = (shape: unknown): readonly number[] | undefined => {
  const dims = isConfig(shape) ? (shape.dim ?? []) : undefined;
  return Array.isArray(dims) ? dims.map((dim: Config) => Number(dim.size ?? 0)) : undefined;
};

/** Types say nothing that tensors do not, except what a cast makes and what a model takes. */
function readAttribute(key: string, value: Config, where: string): unknown {
  if ("func" in value) {
    const hint = "Control flow cannot be quantized: export a model without loops and branches.";
    throw badModel("a node without functions of its own", key, where, hint);
  }
  if ("s" in value) return word(value.s);
  if ("i" in value) return Number(value.i);
  if ("f" in value) return Number(value.f);
  if ("b" in value) return Boolean(value.b);
  if ("type" in value) return key === "DstT" || key === "dtype" ? typeName(value.type) : undefined;
  if ("shape" in value) return dimensions(value.shape);
  const list = isConfig(value.list) ? value.list : undefined;
  if (!list) return undefined;
  if (Array.isArray(list.s)) return list.s.map(word);
  if (Array.isArray(list.type)) return undefined;
  return [list.i, list.f, list.b].find(Array.isArray)?.map(Number) ?? [];
}

function typeName(type: unknown): string {
  const name = String(type).replace("DT_", "").toLowerCase();
  return name === "float" ? "float32" : name;
}

/**
 * The nodes that `ends` follow from, each after those that it reads.
 *
 * @throws AutoqnnError `bad-model` for a node that is not there, and for nodes that wait for each other.
 */
export function inOrder(
  nodes: ReadonlyMap<string, GraphNode>,
  ends: readonly string[],
  where: string,
): readonly GraphNode[] {
  const order: GraphNode[] = [];
  const state = new Map<string, "open" | "done">();
  // Not by recursion: graphs are deeper than the stack.
  const stack = ends.map((name) => ({ name, reader: "the outputs" })).reverse();
  while (stack.length > 0) {
    const { name, reader } = stack.at(-1)!;
    const node = nodes.get(name);
    if (!node) throw badModel("nodes that exist", `"${name}" for ${reader}`, where, AGAIN);
    if (state.get(name) === undefined) {
      state.set(name, "open");
      for (const input of [...node.inputs].reverse()) {
        const known = state.get(input.node);
        if (known === "open")
          throw badModel("nodes in an order", `a cycle through "${input.node}"`, where, AGAIN);
        if (known === undefined) stack.push({ name: input.node, reader: `"${name}"` });
      }
    } else {
      stack.pop();
      if (state.get(name) === "open") order.push(node);
      state.set(name, "done");
    }
  }
  return order;
}
