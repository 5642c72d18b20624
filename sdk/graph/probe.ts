import * as tf from "@tensorflow/tfjs";
import { AutoqnnError } from "../errors.js";
import { isBuiltIn } from "../model/layers/builtIn.js";
import { type Layer, toList, within } from "./layers.js";
import type { LocalProduct } from "./macs.js";
import { observe, type Sight } from "./observe.js";
import { patches } from "./patches.js";
import type { Call, Slot } from "./plan.js";
import { dropMasks, trainingCalls } from "./training.js";
import { type Read, standIn } from "./variables.js";

/** What one call of a layer was seen to compute with. */
export interface Observation {
  /** Names, inside the layer, of the weights that its outputs are made of. */
  readonly weights: ReadonlySet<string>;
  /** Positions of the inputs that its outputs are made of. */
  readonly inputs: ReadonlySet<number>;
  /** All products, per sample. */
  readonly products: readonly LocalProduct[];
}

/**
 * Runs a layer whose class is not built in once for inference and once for training, on zeros, and watches the operations it
 * asks for: nothing else tells what such a layer computes, and whether a compiled step can hold it. The layer and tfjs are
 * afterwards as they were. Absent for layers of classes that are built in, all through.
 *
 * @throws AutoqnnError `bad-model` naming the layer, when its call reads values on the host, draws random numbers there,
 * uses or makes variables that are none of its weights, keeps tensors on the layer, returns something else than it
 * declares, or throws.
 */
export function probe(
  call: Call,
  slots: readonly Slot[],
  reads: readonly Read[],
  open: number,
): Observation | undefined {
  const parts = within(call.layer);
  if (parts.every(isBuiltIn)) return undefined;
  const passes = [false, true].map((training) => {
    const seen = (masked: boolean): Pass => pass(call, slots, reads, open, parts, { training, masked });
    try {
      return seen(false);
    } catch (error) {
      // Whether a mask comes with the input shows in a run only, and a call may count on it.
      if (!call.layer.supportsMasking) throw error;
      return seen(true);
    }
  });
  const batch = batchOf(slots[call.inputs[0] ?? -1]);
  return {
    weights: new Set(passes.flatMap((own) => named(own, "weight"))),
    inputs: new Set(passes.flatMap((own) => named(own, "input")).map(Number)),
    products: passes[0]!.products.map(({ macs, ...rest }) => ({ ...rest, macs: macs / batch })),
  };
}

/** What a pass leaves: names of what its outputs are made of, such as "weight:kernel" and "input:0". */
type Pass = { readonly sources: readonly string[]; readonly products: readonly LocalProduct[] };

const named = ({ sources }: Pass, kind: "weight" | "input"): string[] =>
  sources.flatMap((source) => (source.startsWith(`${kind}:`) ? [source.slice(kind.length + 1)] : []));

const batchOf = (slot: Slot | undefined): number => slot?.shape[0] ?? 1;

function pass(
  call: Call,
  slots: readonly Slot[],
  reads: readonly Read[],
  open: number,
  parts: readonly Layer[],
  { training, masked }: { readonly training: boolean; readonly masked: boolean },
): Pass {
  const instances = patches();
  // What a pass makes goes with it; what it leaves is no tensor.
  tf.engine().startScope("probe");
  try {
    const inputs = call.inputs.map((slot) => {
      const { shape, dtype } = slots[slot]!;
      const [, ...rest] = shape;
      return tf.zeros([batchOf(slots[slot]), ...rest.map((n) => n ?? open)], dtype);
    });
    const tensors = new Map<tf.Tensor, string>(inputs.map((input, i) => [input, `input:${i}`]));
    for (const { name, variable } of reads) {
      const value = variable.holder.read().clone();
      tensors.set(value, `weight:${name}`);
      standIn(
        variable,
        instances,
        () => value,
        () => {},
      );
    }
    dropMasks(parts, instances);
    if (training) trainingCalls(parts, tf.tensor1d([0, 0], "int32"), instances);
    const before = parts.map(heldTensors);
    const { result, sight } = observe(tensors, () =>
      applied(call, inputs, {
        training,
        ...(masked && { mask: tf.ones(inputs[0]!.shape.slice(0, 2), "bool") }),
      }),
    );
    const kept = parts.some((part, i) => restoreTensors(part, before[i]!));
    refuse(call, sight, kept);
    const outputs = checked(call, slots, result, inputs[0]);
    return {
      sources: [...new Set(outputs.flatMap((output) => [...sight.sources(output)]))],
      products: productsOf(sight),
    };
  } finally {
    instances.restore();
    tf.engine().endScope();
  }
}

function applied({ layer, path }: Call, inputs: tf.Tensor[], kwargs: Record<string, unknown>): unknown {
  try {
    return layer.apply(inputs, kwargs);
  } catch (cause) {
    if (cause instanceof AutoqnnError) throw cause;
    const shapes = inputs.map(({ shape }) => `[${shape}]`).join(" and ");
    throw new AutoqnnError(
      "bad-model",
      `Expected layer "${path}" (class ${layer.constructor.name}) to compute on zeros of shape ${shapes}, received "${cause instanceof Error ? cause.message : cause}".`,
      "Mend its call, or its computeOutputShape.",
      { cause },
    );
  }
}

/** Tensors that a layer holds as its own properties; variables are what stands in for its weights. */
function heldTensors(layer: Layer): Map<string, tf.Tensor> {
  return new Map(
    Object.entries(layer).filter((entry): entry is [string, tf.Tensor] => entry[1] instanceof tf.Tensor),
  );
}

/** Puts back what a call left on its layer; whether there was something. */
function restoreTensors(layer: Layer, before: ReadonlyMap<string, tf.Tensor>): boolean {
  let kept = false;
  for (const [property, tensor] of heldTensors(layer)) {
    if (before.get(property) === tensor) continue;
    kept = true;
    tensor.dispose();
    if (before.has(property)) Reflect.set(layer, property, before.get(property));
    else Reflect.deleteProperty(layer, property);
  }
  return kept;
}

/** What a compiled step would freeze, or cannot hold. */
function refuse({ layer, path }: Call, sight: Sight, kept: boolean): void {
  const complaint = (received: string, hint: string): AutoqnnError =>
    new AutoqnnError(
      "bad-model",
      `Expected a call of tfjs operations on inputs and weights, received ${received} in layer "${path}" (class ${layer.constructor.name}).`,
      hint,
    );
  if (sight.reads) {
    const hint =
      "Write its call without dataSync, arraySync and data; tf.where and masks stand for conditions.";
    throw complaint("a read of a tensor's values", hint);
  }
  if (sight.random) {
    const hint =
      "Use tfjs's layers of noise and dropout inside it, or draw the numbers in the data and feed them in.";
    throw complaint(`random numbers drawn on the host (${sight.random})`, hint);
  }
  const [variable] = sight.variables;
  if (variable) {
    const hint =
      "Make it a weight by this.addWeight(...) in build, where layers inside it are to be built too.";
    throw complaint(`the variable "${variable.name}", which is none of its weights,`, hint);
  }
  if (kept) {
    const hint = "Return what is wanted later, and feed it in as an input.";
    throw complaint("a tensor that is kept from one call to the next", hint);
  }
}

/** The tensors that a call returned, which must be as many and of the shapes that the layer declares. */
function checked(
  { layer, path, outputs }: Call,
  slots: readonly Slot[],
  result: unknown,
  first: tf.Tensor | undefined,
): tf.Tensor[] {
  const list = toList(result) as unknown[];
  const tensors = list.filter((item): item is tf.Tensor => item instanceof tf.Tensor);
  const declared = outputs.map((slot) => slots[slot]!.shape);
  const fits =
    list.length === outputs.length &&
    tensors.length === list.length &&
    tensors.every(({ shape }, i) => {
      const [, ...rest] = declared[i]!;
      const wanted = [first?.shape[0] ?? null, ...rest];
      return (
        shape.length === wanted.length && wanted.every((n, axis) => n === null || n < 0 || n === shape[axis])
      );
    });
  if (fits) return tensors;
  const shown = (shapes: readonly (readonly (number | null)[])[]): string =>
    shapes.map((shape) => `[${shape.map((n) => n ?? "any").join(", ")}]`).join(" and ") || "nothing";
  const received =
    tensors.length === list.length
      ? shown(tensors.map(({ shape }) => shape))
      : typeof list.find((item) => !(item instanceof tf.Tensor));
  throw new AutoqnnError(
    "bad-model",
    `Expected layer "${path}" (class ${layer.constructor.name}) to return ${shown(declared)} as it declares, received ${received}.`,
    "Let its computeOutputShape say what its call returns, for training and inference alike.",
  );
}

/** Products by their factors: a weight where one is made of nothing else, and inputs that come in as they are. */
function productsOf(sight: Sight): LocalProduct[] {
  return sight.products.map(({ factors, macs }) => {
    const weights = factors.map((factor) => {
      const own = [...sight.sources(factor)];
      return own.every((source) => source.startsWith("weight:"))
        ? own[0]?.slice("weight:".length)
        : undefined;
    });
    const inputs = factors.map((factor) => {
      const source = sight.source(factor);
      return source?.startsWith("input:") ? Number(source.slice("input:".length)) : undefined;
    });
    const first = weights[1] === undefined ? 0 : 1;
    const input = inputs[1 - first];
    return { weight: weights[first] ?? inputs[first] ?? INSIDE, ...(input !== undefined && { input }), macs };
  });
}

/** Stands for a factor that is neither a weight nor an input. */
export const INSIDE = "(inside)";
