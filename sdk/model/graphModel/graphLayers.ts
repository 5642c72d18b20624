import * as tf from "@tensorflow/tfjs";
import { badModel } from "../badModel.js";
import { show } from "../config.js";
import { apart } from "../layers/passing.js";
import { Arguments, type HostArray, type Shape, tensorOfArray } from "../operations/arguments.js";
import { type Bound, bind } from "../operations/dialect.js";
import { GRAPH_DEF } from "../operations/graphDef.js";
import { OPERATIONS } from "../operations/index.js";
import {
  BATCHES,
  computed,
  isConstant,
  type Known,
  multipleOf,
  shapeAt,
  token,
} from "../operations/known.js";
import { OWN } from "../operations/operation.js";
import { size } from "../operations/row.js";
import { FACTORS, replaced, resolved, type Template } from "../operations/template.js";
import { type LayerPlan, PASSED, PLANNERS } from "./layers.js";
import type { LayerNames } from "./names.js";
import type { GraphNode, TensorName } from "./nodes.js";

type Symbolic = tf.SymbolicTensor;
type Weights = Readonly<Record<string, HostArray>>;

/** A tensor of the graph while it is followed: one of the model, or values known for two sizes of the batch. */
type Flow = Symbolic | Known;
const isSymbolic = (flow: Flow): flow is Symbolic => flow instanceof tf.SymbolicTensor;

/** The layers that nodes become, node by node, each after those that it reads. */
export class GraphLayers {
  readonly #flows = new Map<string, readonly Flow[]>();
  readonly #made: tf.layers.Layer[] = [];

  constructor(
    private readonly weights: ReadonlyMap<string, HostArray>,
    private readonly names: LayerNames,
    private readonly where: string,
  ) {}

  has(node: string): boolean {
    return this.#flows.has(node);
  }

  /** A tensor of the model. */
  tensor({ node, output }: TensorName): Symbolic {
    const flow = this.#flows.get(node)?.[output];
    if (flow && isSymbolic(flow)) return flow;
    const received = flow ? "a constant" : `no output ${output}`;
    throw badModel(
      "a tensor that follows from the inputs",
      received,
      `node "${node}" of ${this.where}`,
      "Leave it out of the signature.",
    );
  }

  /** Follows one node. `wanted`: a name for its layer. */
  add(node: GraphNode, wanted?: string): void {
    const inputs = node.inputs.map(({ node: name, output }) => {
      const flow = this.#flows.get(name)?.[output];
      if (flow) return flow;
      throw badModel(
        `an output ${output}`,
        "none",
        `node "${name}" of ${this.where}`,
        "Convert the model again.",
      );
    });
    this.#flows.set(node.name, this.#follow(node, inputs, wanted));
  }

  dispose(): void {
    for (const layer of this.#made) for (const weight of layer.weights) weight.dispose();
  }

  #follow(node: GraphNode, inputs: readonly Flow[], wanted?: string): readonly Flow[] {
    if (node.op === "Placeholder") return [this.#input(node, wanted)];
    if (node.op === "Const") return [this.#constant(node)];
    if (PASSED.has(node.op)) return inputs;
    const sources = inputs.map((flow) => (isSymbolic(flow) ? flow : flow[0]));
    const planner = inputs.some(isSymbolic) ? PLANNERS.get(node.op) : undefined;
    const plan = planner?.(node, sources, this.#at(node));
    return plan
      ? this.#planned(node, plan, inputs.filter(isSymbolic), wanted)
      : this.#operation(node, inputs, wanted);
  }

  #at(node: GraphNode): string {
    return `${node.op} node "${node.name}" of ${this.where}`;
  }

  #input(node: GraphNode, wanted?: string): Symbolic {
    const { shape, dtype } = node.attributes;
    if (!Array.isArray(shape) || shape.length === 0) {
      const hint = "Export the model with the shapes of its inputs, the batch first.";
      throw badModel("an input of known shape", show(shape), this.#at(node), hint);
    }
    const batchShape = (shape as number[]).map((n) => (n < 0 ? null : n));
    const type = /int/.test(String(dtype)) ? "int32" : dtype === "bool" ? "bool" : "float32";
    return tf.input({ batchShape, dtype: type, name: this.names.of(node, wanted) });
  }

  #constant(node: GraphNode): Known {
    const values = this.weights.get(node.name);
    if (values) return [values, values];
    throw badModel(
      "its values among the weights",
      "none",
      this.#at(node),
      "Copy the model again, with all its shards.",
    );
  }

  #planned(
    node: GraphNode,
    plan: LayerPlan,
    [source]: readonly Symbolic[],
    wanted?: string,
  ): readonly Flow[] {
    const name = this.names.of(node, plan.then ? undefined : wanted);
    const pad = { padding: plan.padding };
    const x = plan.padding ? this.#layer("ZeroPadding2D", `${name}_pad`, pad, [source!])[0]! : source!;
    const result = this.#layer(plan.className, name, plan.config, [x], plan.weights);
    if (!plan.then) return result;
    const { op, inputs, attributes } = plan.then;
    const after: GraphNode = { name: `${node.name}/${op}`, op, inputs: node.inputs, attributes };
    return this.#operation(after, [...result, ...inputs.map((values): Known => [values, values])], wanted);
  }

  #layer(
    className: string,
    name: string,
    config: Readonly<Record<string, unknown>>,
    inputs: readonly Symbolic[],
    weights: Weights = {},
  ): readonly Symbolic[] {
    const [kind, fromConfig] = tf.serialization.SerializationMap.getMap().classNameMap[className]!;
    const layer = fromConfig(kind, { ...config, name } as tf.serialization.ConfigDict) as tf.layers.Layer;
    this.#made.push(layer);
    const own = apart(inputs, () => this.names.free(`${name}_again`));
    const result = layer.apply(own.length === 1 ? own[0]! : own) as Symbolic | Symbolic[];
    for (const variable of layer.weights) {
      const values = weights[variable.originalName.split("/").at(-1)!]!;
      tf.tidy(() => void variable.write(tensorOfArray(values)));
    }
    return [result].flat();
  }

  #operation(node: GraphNode, flows: readonly Flow[], wanted?: string): readonly Flow[] {
    const bound = this.#bind(node, flows.length);
    const row = OPERATIONS[bound.operation]!;
    if (row.fromShape || !flows.some(isSymbolic)) {
      const known = (at: 0 | 1): Arguments => {
        const values = resolved(bound.values, {
          tensor: (i) => this.#knownAt(flows[i]!, at),
          weight: (_, shape) => ({ shape }),
          batch: () => Number.NaN,
        });
        return new Arguments(this.#at(node), values);
      };
      return computed(row, known, this.#at(node));
    }
    const sources = flows.filter(isSymbolic);
    const weights: Record<string, HostArray> = {};
    const template = replaced(bound.values, (i, place, argument) => {
      const flow = flows[i]!;
      if (isSymbolic(flow)) return { tensor: sources.indexOf(flow) };
      const factor = FACTORS.has(argument);
      if (factor && isConstant(flow) && /float/.test(flow[0].dtype) && flow[0].values.length > 1) {
        const values = row.valuewise
          ? trimmed(flow[0], Math.max(...sources.map(({ rank }) => rank)))
          : flow[0];
        weights[place] = values;
        return { weight: place, shape: values.shape };
      }
      const plain = factor && !isConstant(flow) ? undefined : token(flow, sources);
      return plain ?? { tensor: sources.push(this.#repeated(node, flow, sources)) - 1 };
    });
    return this.#layer(
      "Operation",
      this.names.of(node, wanted),
      own(bound.operation, template),
      sources,
      weights,
    );
  }

  #bind(node: GraphNode, inputs: number): Bound {
    const { N: count, dtype: _, ...keyword } = node.attributes;
    const tokens = Array.from({ length: inputs }, (_, i) => ({ tensor: i }));
    const positional = typeof count === "number" ? [tokens.slice(0, count), ...tokens.slice(count)] : tokens;
    return bind(GRAPH_DEF, node.op, { positional, keyword }, this.#at(node));
  }

  #knownAt(flow: Flow, at: 0 | 1): HostArray | { readonly shape: Shape } {
    return isSymbolic(flow) ? { shape: shapeAt(flow, BATCHES[at]) } : flow[at];
  }

  /** Values that are the same for each example, so many times: they are repeated when the model runs. */
  #repeated(node: GraphNode, known: Known, sources: readonly Symbolic[]): Symbolic {
    const [one, two] = known;
    const [count, ...rest] = one.shape;
    const row = size(rest);
    const anchor = sources.find((source) => source.shape[0] === null);
    const like = (values: ArrayLike<number>): boolean =>
      Array.from(values).every((value, i) => value === one.values[i % row]);
    const batches = (count ?? 0) / BATCHES[0];
    if (!anchor || !like(one.values) || !like(two.values) || two.shape[0] !== batches * BATCHES[1]) {
      throw badModel(
        "values that do not depend on the size of the batch",
        "others",
        this.#at(node),
        "Export the model for batches of any size.",
      );
    }
    const values: HostArray = {
      dtype: one.dtype,
      shape: [1, ...rest],
      values: Array.from(one.values).slice(0, row),
    };
    const shape = [{ batch: 0, times: batches / multipleOf(anchor) }, ...rest];
    const template = { x: { weight: "x", shape: values.shape }, shape };
    const name = this.names.free(`${this.names.of(node)}_repeated`);
    return this.#layer("Operation", name, own("broadcastTo", template), [anchor], { x: values })[0]!;
  }
}

const own = (operation: string, template: Template) => ({
  dialect: OWN,
  function: { name: operation },
  arguments: { name: JSON.stringify({ positional: [], keyword: template }) },
});

/** Without leading axes of one, which broadcasting puts back: what scales channels is a vector. */
function trimmed({ dtype, shape, values }: HostArray, rank: number): HostArray {
  const first = shape.findIndex((n) => n !== 1);
  return shape.length > rank
    ? { dtype, shape, values }
    : { dtype, shape: shape.slice(Math.max(first, 0)), values };
}
