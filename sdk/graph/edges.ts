import { AutoqnnError } from "../errors.js";
import { bitsOf } from "../staircase/schemes.js";
import { type CallInnerEdge, type Calls, callsOf, type Edge } from "./calls.js";
import { channelAxes } from "./channels.js";
import type { GraphOptions, LeftAlone, Pin, QuantizingNode } from "./graph.js";
import { groups } from "./groups.js";
import { size } from "./macs.js";
import { select } from "./names.js";
import type { Plan } from "./plan.js";
import { type HeldVariable, type Read, readsOf } from "./variables.js";

export interface Edges extends Calls {
  readonly nodes: readonly QuantizingNode[];
  readonly leftAlone: readonly LeftAlone[];
}

/**
 * Weights that are no factors of sums of products, whatever their rank, by the names that layers give them. Schemes fit
 * values around 0: the range of clip follows their deviation, at any bitwidth, and cuts off scales around 1.
 */
const NO_FACTORS: Readonly<Record<string, string>> = {
  bias: "a bias: added, not multiplied",
  beta: "an offset: added, not multiplied",
  gamma: "a scale of single values",
  alpha: "a slope of single values",
};

/** Follows the plan on shapes alone and decides for each weight and each input of a call whether it is a node. */
export function edgesOf(plan: Plan, variables: readonly HeldVariable[], options: GraphOptions): Edges {
  const reads = readsOf(plan, variables);
  const { calls, edges, inner, tensors } = callsOf(plan, reads, options.openDimension ?? 1);
  const names = [...variables.map((v) => v.name), ...[...edges, ...inner].map((e) => e.id)];
  refuseTwins(names);
  const excluded = exclusions(options, names);
  const called = tally(calls.map(({ layer }) => [layer, 1] as const));
  const consumers = tally(
    [...reads].flatMap(([layer, own]) =>
      own.map(({ variable }) => [variable.name, called.get(layer) ?? 0] as const),
    ),
  );
  const products = calls.flatMap((call) => call.products);
  const macs = tally(
    products.flatMap(({ weight, input, macs }) => [
      [weight, macs] as const,
      ...(input === undefined ? [] : [[input, macs] as const]),
    ]),
  );

  const ownReasons = (id: string): string | undefined =>
    excluded.has(id) ? `excluded by "${excluded.get(id)}"` : undefined;
  const used = usedWeights(calls, reads);
  const valuewise = new Set(calls.flatMap(({ layer, streams }) => (streams ? [layer] : [])));
  const weightReason = (v: HeldVariable): string | undefined => {
    if (v.constant) return "a tf.Variable beside the layer's weights, kept as it is";
    if (v.dtype !== "float32") return `${v.dtype} values`;
    const own = v.short.split("/").at(-1)!;
    if (v.shape.length < (options.minimumRank ?? 2)) return `rank ${v.shape.length}: ${own}`;
    if (options.minimumRank === undefined) {
      if (Object.hasOwn(NO_FACTORS, own)) return NO_FACTORS[own];
      if (valuewise.has(v.layer)) return "its layer works value by value";
    }
    if (!consumers.get(v.name)) return "its layer is not executed";
    if (!used.has(v.name)) return "its layer does not use it";
    return ownReasons(v.name);
  };
  const weightReasons = new Map(variables.map((v) => [v.name, weightReason(v)]));
  const owners = new Set(
    [...reads].flatMap(([layer, own]) =>
      own.some(({ variable }) => !weightReasons.get(variable.name)) ? [layer] : [],
    ),
  );
  const inputReason = (edge: Edge): string | undefined => {
    if (!owners.has(edge.layer)) return "its layer owns no quantized weight";
    const { observed, inputs } = calls[edge.call]!;
    if (observed && !observed.inputs.has(inputs.indexOf(edge.id))) return "its layer does not use it";
    if (edge.apart) return edge.apart;
    if (tensors[edge.tensor]!.modelInput && !options.quantizeInput) return "model input: already 8-bit data";
    return ownReasons(edge.id);
  };

  const innerReason = ({ id, layer, held: { option } }: CallInnerEdge): string | undefined => {
    if (option && !options[option]) return `inside its layer: see the option ${option}`;
    if (!option && !owners.has(layer)) return "its layer owns no quantized weight";
    return ownReasons(id);
  };

  const nodes: QuantizingNode[] = [];
  const leftAlone: LeftAlone[] = [];
  const sort = (
    base: Pick<QuantizingNode, "id" | "kind" | "layer" | "shape">,
    reason: string | undefined,
    rest: Pick<QuantizingNode, "consumers" | "variable" | "steps" | "channelAxes">,
  ): void => {
    if (reason) leftAlone.push(Object.freeze({ ...base, reason }));
    else nodes.push({ ...base, elements: size(base.shape), macs: macs.get(base.id) ?? 0, ...rest });
  };
  const variablesAt = groups(variables, (v) => v.layer);
  const edgesAt = groups(edges, (edge) => edge.layer);
  const innerAt = groups(inner, (edge) => edge.layer);
  for (const layer of new Set([...called.keys(), ...variablesAt.keys()])) {
    for (const v of variablesAt.get(layer) ?? []) {
      const base = { id: v.name, kind: "weight" as const, layer, shape: v.shape };
      const axes = options.perChannel && channelAxes(plan.leaves.get(layer)!.getClassName(), v.short);
      const rest = {
        ...{ consumers: consumers.get(v.name) ?? 0, variable: v.name },
        ...(axes && { channelAxes: axes }),
      };
      sort(base, weightReasons.get(v.name), rest);
    }
    for (const edge of edgesAt.get(layer) ?? []) {
      const base = { id: edge.id, kind: "input" as const, layer, shape: edge.shape };
      sort(base, inputReason(edge), { consumers: 1 });
    }
    for (const edge of innerAt.get(layer) ?? []) {
      const base = { id: edge.id, kind: "input" as const, layer, shape: edge.shape };
      const { steps } = edge.held;
      sort(base, innerReason(edge), { consumers: 1, ...(steps > 1 && { steps }) });
    }
  }
  return { nodes: pinned(nodes, options), leftAlone, calls, edges, inner, tensors };
}

/** Two edges of one name: a layer that declares an inner edge under the name of a weight, or twice. */
function refuseTwins(names: readonly string[]): void {
  const seen = new Set<string>();
  const twin = names.find((name) => seen.has(name) || !seen.add(name));
  if (twin === undefined) return;
  throw new AutoqnnError(
    "bad-model",
    `Expected names of inner edges that nothing else in their layer has, received "${twin}" twice.`,
    "Rename the edge in innerEdges() of its layer, and where call() passes it to enter().",
  );
}

/** The names of the variables that some call uses; a layer that is built in uses all that it reads. */
function usedWeights(calls: Calls["calls"], reads: ReadonlyMap<string, readonly Read[]>): Set<string> {
  return new Set(
    calls.flatMap(({ layer, observed }) =>
      reads
        .get(layer)!
        .flatMap(({ name, variable }) => (!observed || observed.weights.has(name) ? [variable.name] : [])),
    ),
  );
}

/** Sums by name. */
function tally(entries: readonly (readonly [name: string, value: number])[]): Map<string, number> {
  const sums = new Map<string, number>();
  for (const [name, value] of entries) sums.set(name, (sums.get(name) ?? 0) + value);
  return sums;
}

/** The names that are excluded, and by which pattern. */
function exclusions({ exclude = [] }: GraphOptions, names: readonly string[]): Map<string, string> {
  return new Map(
    exclude.flatMap((pattern) => select("exclude", pattern, names).map((name) => [name, pattern] as const)),
  );
}

function pinned(nodes: readonly QuantizingNode[], { pin = {} }: GraphOptions): QuantizingNode[] {
  const pins = new Map<string, Pin>();
  const ids = nodes.map((node) => node.id);
  for (const [pattern, value] of Object.entries(pin)) {
    refuseUnknown(pattern, value);
    for (const id of select("pin", pattern, ids)) pins.set(id, Object.freeze({ ...pins.get(id), ...value }));
  }
  return nodes.map((node) => {
    const value = pins.get(node.id);
    return Object.freeze(value ? { ...node, pin: value } : node);
  });
}

function refuseUnknown(pattern: string, { scheme, bits }: Pin): void {
  const [least, most] = (scheme && bitsOf(scheme, { signed: true, zero: false })) ?? [1, 8];
  if (bits === undefined || (Number.isInteger(bits) && bits >= least && bits <= most)) return;
  throw new AutoqnnError(
    "bad-option",
    `Expected a whole number from ${least} to ${most} of bits in pin at "${pattern}", received ${bits}.`,
    scheme ? `Give another number, or another scheme than ${scheme}.` : "Give another number.",
  );
}
