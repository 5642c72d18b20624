import type { GraphNode } from "./nodes.js";

/** Last parts of names that say what a node does, not which layer it belongs to. */
const KIND =
  /^(Conv2D|MatMul|BiasAdd|Relu6?|Elu|Sigmoid|Tanh|Softmax|BatchNorm|FusedBatchNorm(V[23])?|conv2d_transpose|Tensordot)(_\d+)?$/;
/** Parts that come from calling functions. */
const CALLS = /^(Stateful)?PartitionedCall(_\d+)?$/;

/** Gives the layers of a graph short names of their own: "conv1/Conv2D" is "conv1", "block/add" is "block_add". */
export class LayerNames {
  readonly #taken = new Set<string>();
  readonly #common: number;

  constructor(nodes: readonly GraphNode[]) {
    const paths = nodes.filter((node) => node.inputs.length > 0 && node.name.includes("/")).map(parts);
    const [first = []] = paths;
    const differs = first.findIndex((part, i) => paths.some((path) => path[i] !== part));
    const shortest = Math.min(...paths.map((path) => path.length));
    this.#common = paths.length < 2 ? 0 : Math.min(differs < 0 ? first.length : differs, shortest - 1);
  }

  /** A name for the layer of `node`; `wanted` where it is free. */
  of(node: GraphNode, wanted?: string): string {
    const path = parts(node).slice(node.inputs.length > 0 ? this.#common : 0);
    while (path.length > 1 && KIND.test(path.at(-1)!)) path.pop();
    if (path.length > 1 && path.at(-1) === "depthwise" && path.at(-2)!.endsWith("depthwise")) path.pop();
    return this.free(wanted ?? path.join("_"));
  }

  free(name: string): string {
    const plain = name.replace(/[^A-Za-z0-9_.-]/g, "_").replace(/^[^A-Za-z0-9.]+/, "");
    for (let count = 0; ; count++) {
      const candidate = count === 0 ? plain : `${plain}_${count}`;
      if (this.#taken.has(candidate)) continue;
      this.#taken.add(candidate);
      return candidate;
    }
  }
}

const parts = ({ name }: GraphNode): string[] => {
  const all = name.split("/").filter((part) => part !== "");
  const kept = all.filter((part) => !CALLS.test(part));
  return kept.length > 0 ? kept : all;
};
