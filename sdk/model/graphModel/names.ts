import type { GraphNode } from "./nodes.js";

/** Last parts of names that say what a node does, not which layer it belongs to. */
const KIND =
  /^(Conv2D|MatMul|BiasAdd|Relu6?|Elu|Sigmoid|Tanh|Softmax|BatchNorm|FusedBatchNorm(V[23])?|conv2d_transpose|Tensordot)(_\d+)?$/;
/** Parts that come from calling functions. */
const CALLS = /^(Stateful)?PartitionedCall(_\d+)?$/;

/** Gives the layers of a graph short names of their own: "conv1/Conv2D" is "conv1", "block/add" is "block_add". */
export class LayerNames {
  readonly #taken = new Set<string>();
  /** The scope that all nodes in scopes are in. */
  readonly #scope: readonly string[];

  /** @param wanted names that are kept for the nodes that ask for them */
  constructor(nodes: readonly GraphNode[], wanted: readonly string[]) {
    for (const name of wanted) this.#taken.add(clean(name));
    const scopes = nodes
      .filter((node) => node.inputs.length > 0)
      .map((node) => parts(node).slice(0, -1))
      .filter((scope) => scope.length > 0);
    const [first = []] = scopes;
    const differs = first.findIndex((part, i) => scopes.some((scope) => scope[i] !== part));
    this.#scope = differs < 0 ? first : first.slice(0, differs);
  }

  /** A name for the layer of `node`: `wanted`, or its own, shortened. */
  of(node: GraphNode, wanted?: string): string {
    if (wanted !== undefined) return clean(wanted);
    const all = parts(node);
    const inside = all.length > this.#scope.length && this.#scope.every((part, i) => all[i] === part);
    const path = inside ? all.slice(this.#scope.length) : all;
    while (path.length > 1 && KIND.test(path.at(-1)!)) path.pop();
    if (path.length > 1 && path.at(-1) === "depthwise" && path.at(-2)!.endsWith("depthwise")) path.pop();
    return this.free(path.join("_"));
  }

  free(name: string): string {
    const plain = clean(name);
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

const clean = (name: string): string =>
  name.replace(/[^A-Za-z0-9_.-]/g, "_").replace(/^[^A-Za-z0-9.]+/, "") || "node";
