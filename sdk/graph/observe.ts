import * as tf from "@tensorflow/tfjs";
import { hostRandom } from "../engine/hostRandom.js";
import { type KernelProduct, productOf } from "./kernels.js";
import { patches } from "./patches.js";

/** What was seen of a computation. */
export interface Sight {
  /** The named tensors that a tensor was made of. */
  sources(tensor: tf.Tensor): ReadonlySet<string>;
  /** The named tensor that a tensor is, cut, cast or in another order at most. */
  source(tensor: tf.Tensor): string | undefined;
  readonly products: readonly KernelProduct[];
  /** Whether values made of a named tensor were read on the host. */
  readonly reads: boolean;
  /** The operation that drew random numbers on the host, or "Math.random". */
  readonly random: string | undefined;
  /** Variables that took part themselves, and variables that were made. */
  readonly variables: readonly tf.Variable[];
}

/** Kernels that keep the values of their first input. */
const KEEPS = new Set([
  ...["Identity", "Reshape", "ExpandDims", "Transpose", "Cast", "Slice", "StridedSlice", "SplitV", "Unpack"],
  ...["PadV2", "MirrorPad", "SpaceToBatchND", "BatchToSpaceND", "Reverse", "Tile", "GatherV2"],
]);

const NOTHING: ReadonlySet<string> = new Set();

/** The one door of tfjs's engine that every kernel passes; its declaration keeps it private. */
interface Kernels {
  runKernelFunc(call: KernelCall): tf.Tensor | tf.Tensor[];
}

interface KernelCall {
  readonly kernelName?: string;
  readonly inputs: Record<string, tf.Tensor | undefined>;
  readonly attrs?: Record<string, unknown>;
}

/**
 * Runs `body` and notes what tfjs is asked for meanwhile. `named` are the tensors whose way is followed. tfjs is afterwards
 * as it was, also when `body` throws.
 */
export function observe<T>(
  named: ReadonlyMap<tf.Tensor, string>,
  body: () => T,
): { result: T; sight: Sight } {
  const engine = tf.engine();
  const known = new Map([...named].map(([tensor, name]) => [tensor.id, new Set([name])] as const));
  const kept = new Map([...named].map(([tensor, name]) => [tensor.id, name] as const));
  const data = new WeakMap<object, ReadonlySet<string>>(
    [...named].map(([tensor, name]) => [tensor.dataId, new Set([name])] as const),
  );
  const sources = (tensor: tf.Tensor): ReadonlySet<string> => known.get(tensor.id) ?? NOTHING;
  const products: KernelProduct[] = [];
  const variables = new Set<tf.Variable>();
  let [reads, random, depth] = [false, undefined as string | undefined, 0];

  const before = new Set(Object.keys(engine.state.registeredVariables));
  const run = (engine as unknown as Kernels).runKernelFunc.bind(engine);
  const noted = (call: KernelCall): tf.Tensor | tf.Tensor[] => {
    const inner = call.kernelName === undefined ? 0 : 1;
    depth += inner;
    let result: tf.Tensor | tf.Tensor[];
    try {
      result = run(call);
    } finally {
      depth -= inner;
    }
    const inputs = Object.values(call.inputs).filter((input) => input !== undefined && input !== null);
    const outputs = Array.isArray(result) ? result : [result];
    const all = new Set(inputs.flatMap((input) => [...sources(input)]));
    for (const input of inputs) if (input instanceof tf.Variable) variables.add(input);
    for (const output of outputs) {
      if (all.size > 0) {
        known.set(output.id, new Set([...all, ...sources(output)]));
        data.set(output.dataId, all);
      }
      const [first] = inputs;
      const same = call.kernelName && KEEPS.has(call.kernelName) && first ? kept.get(first.id) : undefined;
      if (same !== undefined) kept.set(output.id, same);
    }
    if (call.kernelName !== undefined && depth === 0) {
      const { kernelName: name, attrs: attributes = {} } = call;
      const product = productOf({ name, inputs: call.inputs, attributes, outputs });
      if (product) products.push(product);
      if (name === "Multinomial") random ??= "multinomial";
    }
    return result;
  };
  const watch = patches();
  const follow = <A extends unknown[], R>(
    target: object,
    method: string,
    note: (...args: A) => void,
  ): void => {
    const own = Reflect.get(target, method) as (...args: A) => R;
    watch.set(target, method, (...args: A): R => {
      note(...args);
      return own.apply(target, args);
    });
  };
  watch.set(engine, "runKernelFunc", noted);
  follow(engine, "makeTensor", () => {
    random ??= hostRandom();
  });
  follow(Math, "random", () => {
    random ??= hostRandom() ?? "Math.random";
  });
  const read = (id: object): void => {
    if ((data.get(id)?.size ?? 0) > 0) reads = true;
  };
  follow(engine, "readSync", read);
  follow(engine, "read", read);
  try {
    const result = body();
    for (const [name, variable] of Object.entries(engine.state.registeredVariables)) {
      if (!before.has(name)) variables.add(variable);
    }
    const source = (tensor: tf.Tensor): string | undefined => kept.get(tensor.id);
    return { result, sight: { sources, source, products, reads, random, variables: [...variables] } };
  } finally {
    watch.restore();
  }
}
