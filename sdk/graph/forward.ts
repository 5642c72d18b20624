import * as tf from "@tensorflow/tfjs";
import type { TensorMap } from "../engine/engine.js";
import { AutoqnnError } from "../errors.js";
import type { CallInnerEdge, Edge } from "./calls.js";
import type { ForwardOptions, QuantizedGraph, QuantizingNode } from "./graph.js";
import { groups } from "./groups.js";
import { enterInner } from "./inner.js";
import { type Activation, softmaxOf, toList, within } from "./layers.js";
import { type Patches, patches } from "./patches.js";
import type { Call, Plan } from "./plan.js";
import { type BatchMoments, dropMasks, momentCalls, trainingCalls } from "./training.js";
import { type HeldVariable, standIn } from "./variables.js";

/** A tensor on its way: as its layer made it, as others receive it (cast to the declared type), with its mask. */
interface Flow {
  readonly made: tf.Tensor;
  readonly received: tf.Tensor;
  readonly mask?: tf.Tensor | undefined;
  /** What went into the softmax that made it. */
  readonly logits?: tf.Tensor | undefined;
}

type Kwargs = Record<string, unknown>;

/**
 * The forward pass of a plan. The layers do the computing: for the time of the pass their variables read from and write to
 * maps, and random layers draw from the seed; afterwards every instance is as it was, also when the pass throws.
 */
export function forwardOf(
  plan: Plan,
  variables: readonly HeldVariable[],
  edges: readonly Edge[],
  inner: readonly CallInnerEdge[],
  nodes: ReadonlyMap<string, QuantizingNode>,
): QuantizedGraph["forward"] {
  const innerAt = groups(inner, (edge) => edge.call);
  const held = [...plan.leaves.values()].flatMap(within);
  const names = new Map(variables.map(({ holder, name }) => [holder, name]));

  return (values, inputs, options) => {
    const list = toList(inputs);
    if (list.length !== plan.inputs.length) {
      throw new AutoqnnError(
        "bad-data",
        `Expected ${plan.inputs.length} input tensors, received ${list.length}.`,
        "Give one tensor per model input, in the model's order.",
      );
    }
    const instances = patches();
    const written = new Map<string, tf.Tensor>();
    const measured: BatchMoments[] = [];
    try {
      for (const variable of variables) {
        const { name, shape } = variable;
        const value = values[name];
        if (!value || String(value.shape) !== String(shape)) {
          throw new AutoqnnError(
            "bad-option",
            `Expected a tensor of shape [${shape}] for variable "${name}", received ${value ? `[${value.shape}]` : "none"}.`,
            "Start from the map that `read` returns.",
          );
        }
        const node = nodes.get(name);
        const read = node ? options.quantize(node, value) : value;
        const write = (next: tf.Tensor): void => {
          written.get(name)?.dispose();
          // The layer's own tidy would take it away before the pass is over.
          written.set(name, tf.keep(next.clone()));
        };
        standIn(variable, instances, () => written.get(name) ?? read, write);
      }
      dropMasks(held, instances);
      if (options.training) trainingCalls(held, options.seed, instances);
      if (options.batchMoments) momentCalls(held, names, instances, measured);

      const outputs = run(plan, list, edges, innerAt, nodes, options);
      const updates: TensorMap = Object.fromEntries(
        [...written].map(([name, tensor]) => [name, tensor.clone()]),
      );
      const moments = measured.map((own) => ({
        ...own,
        mean: own.mean.clone(),
        variance: own.variance.clone(),
      }));
      return { outputs, updates, moments };
    } finally {
      instances.restore();
      for (const tensor of written.values()) tensor.dispose();
      for (const { mean, variance } of measured) tf.dispose([mean, variance]);
    }
  };
}

function run(
  plan: Plan,
  inputs: readonly tf.Tensor[],
  edges: readonly Edge[],
  innerAt: ReadonlyMap<number, readonly CallInnerEdge[]>,
  nodes: ReadonlyMap<string, QuantizingNode>,
  options: ForwardOptions,
): tf.Tensor[] {
  const flows = new Map<number, Flow>();
  const put = (slot: number, made: tf.Tensor, rest: Omit<Flow, "made" | "received"> = {}): void => {
    const { dtype } = plan.slots[slot]!;
    flows.set(slot, { made, received: made.dtype === dtype ? made : made.cast(dtype), ...rest });
  };
  plan.inputs.forEach((slot, i) => void put(slot, inputs[i]!));
  // tfjs's executor hands one such object from layer to layer, and layers leave masks and states in it.
  const kwargs: Kwargs = { training: options.training };
  let [edge, call] = [0, 0];
  for (const step of plan.steps) {
    if (step.kind === "crossing") {
      const { made, logits, mask } = flows.get(step.from)!;
      put(step.to, made, { logits, ...(step.carriesMask && { mask }) });
      continue;
    }
    const sources = step.inputs.map((slot) => flows.get(slot)!);
    const masks = sources.map((source) => source.mask ?? null);
    if (masks.some((mask) => mask !== null)) kwargs.mask = masks[0];
    const received = sources.map((source) => source.received);
    const quantized = received.map((x) => {
      const node = nodes.get(edges[edge++]!.id);
      return node ? options.quantize(node, x) : x;
    });
    const inside = innerAt.get(call++) ?? [];
    const held = patches();
    enterInner(
      inside.map((each) => each.held),
      (edge, x) => {
        const node = nodes.get(inside.find((each) => each.held === edge)!.id);
        return node ? options.quantize(node, x) : x;
      },
      held,
    );
    const { outputs, logits } = apply(step, quantized, kwargs, options.logits ?? false, held);
    const mask = step.layer.supportsMasking
      ? step.layer.computeMask(received, masks as unknown as tf.Tensor[])
      : undefined;
    const first = (Array.isArray(mask) ? mask[0] : mask) ?? undefined;
    step.outputs.forEach((slot, i) => void put(slot, outputs[i]!, { mask: first, logits }));
  }
  return plan.outputs.map((slot) => {
    const { made, logits } = flows.get(slot)!;
    return options.logits ? (logits ?? made) : made;
  });
}

/** Runs a layer. Where the logits of its softmax are wanted, the softmax is held back and applied to them here. */
function apply(
  { layer }: Call,
  inputs: tf.Tensor[],
  kwargs: Kwargs,
  wantLogits: boolean,
  held: Patches,
): { outputs: tf.Tensor[]; logits?: tf.Tensor } {
  const softmax = wantLogits ? softmaxOf(layer) : undefined;
  const identity: Activation = { apply: (x) => x, getClassName: () => "linear" };
  if (softmax) {
    held.set(softmax.holder, softmax.field, softmax.field === "softmax" ? identity.apply : identity);
  }
  try {
    const outputs = toList(layer.apply(inputs, kwargs) as tf.Tensor | tf.Tensor[]);
    return softmax ? { outputs: [tf.softmax(outputs[0]!)], logits: outputs[0]! } : { outputs };
  } finally {
    held.restore();
  }
}
