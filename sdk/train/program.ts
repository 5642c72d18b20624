import * as tf from "@tensorflow/tfjs";
import type { TensorMap } from "../engine/engine.js";
import { mixture } from "../engine/mixture.js";
import { quantize, withoutGradient } from "../engine/ops.js";
import type { QuantizedGraph, QuantizingNode } from "../graph/graph.js";
import type { GradientRule } from "../staircase/gradient.js";
import { isFrozen, needs } from "../staircase/schemes.js";
import { added, mean } from "./accumulate.js";
import { divided } from "./channels.js";
import { look } from "./look.js";
import { countCorrect, crossEntropy, divergence } from "./objective.js";
import type { Policy } from "./policy.js";
import { pool } from "./pool.js";
import { PLAIN, type Recipe } from "./recipe.js";
import { relaxed } from "./relax.js";
import { moved, statisticsAt } from "./running.js";
import type { Snapshot } from "./snapshot.js";
import { prefixed, under } from "./state.js";
import { type Group, ownOf, updated, withPenalty } from "./updating.js";

/** The traced computations of one stage: what is run, not when. State keys have a prefix that says what they hold. */
export interface Program {
  /**
   * Inputs: the state, `x`, `y`, controls. Outputs: the state entries that changed, `loss`, `penalty`, `correct`, and as
   * `gradient/*` that of the loss alone, without the penalty, by what the policy trains of nodes' own.
   */
  update(groups: readonly Group[]): (inputs: TensorMap) => TensorMap;
  /** Like `update` on a batch that is not the last of its update: gradients are added to their sums, and no group moves. */
  add(groups: readonly Group[]): (inputs: TensorMap) => TensorMap;
  /**
   * What the network says of `x`, [n, classes], quantizers frozen and dropout off: batch normalization by its running moments,
   * as it is evaluated, or by those of the batch, as if they had been re-estimated.
   */
  readonly logits: (inputs: TensorMap, moments: "running" | "batch") => tf.Tensor;
  /** Inputs: the state, `x`, `y`, controls. Outputs: summed `loss` and `correct`, by running moments. */
  readonly evaluate: (inputs: TensorMap) => TensorMap;
  /**
   * Inputs: the state, `x`. Outputs, for every call k of a batch normalization under `momentsKey`: [3, channels], the mean and
   * the variance of its batch and how many values of a channel there were. Quantizers are frozen, dropout is off.
   */
  readonly measure: (inputs: TensorMap) => TensorMap;
  /** Inputs: the state, `x`, controls. Outputs: what every node does with this batch, [LOOK_SIZE] by node id; see `look`. */
  readonly look: (inputs: TensorMap) => TensorMap;
}

/**
 * "train" moves the running statistics, "measure" looks at the moments of batch normalizations, "look" at what the nodes do;
 * "evaluate" changes nothing.
 */
type Mode = "train" | "measure" | "evaluate" | "look";

/** A call of a batch normalization, and the variables that keep its moments: names may hold any characters. */
type MomentsKey = readonly [call: number, mean: string, variance: string];
const momentsKey = (...key: MomentsKey): string => JSON.stringify(key);

/** Which variables the outputs of `Program.measure` under this key belong to. */
export const variablesOfMoments = (key: string): { mean: string; variance: string } => {
  const [, mean, variance] = JSON.parse(key) as MomentsKey;
  return { mean, variance };
};

/** What a forward pass leaves besides its outputs. */
interface Seen {
  readonly statistics: TensorMap;
  readonly parameters: TensorMap;
  readonly updates: TensorMap;
  readonly moments: TensorMap;
  readonly looks: TensorMap;
}

const nothingSeen = (): Seen => ({ statistics: {}, parameters: {}, updates: {}, moments: {}, looks: {} });

/** Makes the program of `policy` on `graph`. `signed` says of each node whether its values may be negative. */
export function program(
  graph: QuantizedGraph,
  policy: Policy,
  signed: Snapshot["signed"],
  { rule = "ste", recipe = PLAIN }: { readonly rule?: GradientRule; readonly recipe?: Recipe } = {},
): Program {
  // Nodes with the same choice share its table.
  const fits = new Map<string, ReturnType<typeof mixture>>();
  const quantizers = new Map(
    graph.nodes.flatMap((node, index) => {
      const candidates = policy.candidates(node);
      if (candidates.length === 0) return [];
      const range = rangeOf(node, signed[node.id] ?? true);
      const key = JSON.stringify([candidates, range]);
      const fit = fits.get(key) ?? mixture(candidates, range);
      fits.set(key, fit);
      const quantizer = {
        index,
        fit,
        needed: needs(candidates, range),
        frozen: candidates.every(({ scheme }) => isFrozen(scheme)),
      };
      return [[node.id, quantizer] as const];
    }),
  );

  /** The whole network on one batch. Everything a caller may want besides the loss is left in `seen`. */
  const forward = (inputs: TensorMap, mode: Mode, seen: Seen): tf.Tensor => {
    const mixes = policy.mix(under(inputs, "parameter/"), under(inputs, "control/"));
    const scales = quantizers.size > 0 ? tf.unstack(inputs["parameter/scale"]!) : [];
    const passing = pool();
    // What passes at every step is quantized alike: by the running vector as it was, which moves when all have passed.
    const repeated = new Map(
      graph.nodes.flatMap(({ id, steps }) => {
        const quantizer = quantizers.get(id);
        const mix = mixes[id];
        if (!steps || !quantizer || !mix) return [];
        const known = inputs[`statistics/${id}`] as tf.Tensor1D;
        return [[id, quantizer.fit(known, mix.p, mix.active)] as const];
      }),
    );
    const { outputs, updates, moments } = graph.forward(under(inputs, "variable/"), inputs.x!, {
      training: mode === "train",
      batchMoments: mode === "measure",
      logits: true,
      ...(inputs["control/seed"] && { seed: inputs["control/seed"] }),
      quantize: (node, x) => {
        const own = policy.quantizer?.(node);
        if (own) {
          const { y, moved = {} } = own(x, under(inputs, "parameter/"));
          // A layer would let go of what is made inside its call.
          for (const [name, value] of Object.entries(moved)) seen.parameters[name] = tf.keep(value);
          return y;
        }
        const quantizer = quantizers.get(node.id);
        const mix = mixes[node.id];
        if (!quantizer || !mix) return x;
        const ready = repeated.get(node.id);
        if (ready && mode === "train" && !quantizer.frozen) passing.add(node.id, x);
        const { values, restore } = divided(node, x);
        const known = inputs[`statistics/${node.id}`] as tf.Tensor1D;
        const next = mode === "train" ? seen.statistics : undefined;
        const measured = () => statisticsAt(node, values, quantizer, known, next);
        const staircase = ready ?? quantizer.fit(measured(), mix.p, mix.active);
        const scale = scales[quantizer.index]!;
        // Only training is relaxed: what is evaluated is what will be deployed.
        if (mode === "train")
          return restore(relaxed(rule, values, staircase, scale, inputs["control/ratio"]!));
        const quantized = quantize(values, staircase, scale);
        // A layer would let go of what is made inside its call. One step of many says little of a node.
        if (mode === "look" && !node.steps)
          seen.looks[node.id] = tf.keep(look(values, quantized, staircase, scale));
        return restore(quantized);
      },
    });
    passing.drain((id, values) => {
      const known = inputs[`statistics/${id}`] as tf.Tensor1D;
      seen.statistics[id] = moved(known, values, quantizers.get(id)!.needed);
    });
    Object.assign(seen.updates, updates);
    for (const [k, { variables, mean, variance, count }] of moments.entries()) {
      const rows = [mean, variance, tf.fill(mean.shape, count)];
      seen.moments[momentsKey(k, variables.mean, variables.variance)] = tf.stack(rows);
    }
    return outputs[0]!;
  };

  /** What the floating-point network says of a batch; a constant of training. */
  const teacher = (inputs: TensorMap): tf.Tensor =>
    withoutGradient(() => {
      const quantizeNothing = (_node: QuantizingNode, x: tf.Tensor): tf.Tensor => x;
      const options = { training: false, logits: true, quantize: quantizeNothing };
      return graph.forward(under(inputs, "teacher/"), inputs.x!, options).outputs[0]!;
    });

  const classification = (logits: tf.Tensor, inputs: TensorMap): tf.Tensor => {
    const { distillation, labelSmoothing } = recipe;
    const labelled = crossEntropy(logits, inputs.y!, labelSmoothing);
    if (!distillation) return labelled;
    const { weight, temperature } = distillation;
    const taught = divergence(logits, teacher(inputs), temperature);
    return tf.add(tf.mul(labelled, 1 - weight), tf.mul(taught, weight));
  };

  const logits = (inputs: TensorMap, moments: "running" | "batch"): tf.Tensor =>
    forward(inputs, moments === "running" ? "evaluate" : "measure", nothingSeen());

  /**
   * What a batch says of the loss: its parts, the gradients by all keys of `groups` without the penalty, and the entries of the
   * state that follow the batch without a gradient, where the weights are among the groups.
   */
  const differentiated = (groups: readonly Group[], inputs: TensorMap) => {
    const keys = groups.flatMap((group) => group.keys);
    const seen = nothingSeen();
    const parts: TensorMap = {};
    const objective = (...values: tf.Tensor[]): tf.Tensor => {
      const at = { ...inputs, ...Object.fromEntries(keys.map((key, i) => [key, values[i]!])) };
      const logits = forward(at, "train", seen);
      const loss = classification(logits, inputs);
      const penalty = policy.penalty?.(under(at, "parameter/")) ?? tf.scalar(0);
      Object.assign(parts, { loss, penalty, correct: countCorrect(logits, inputs.y!) });
      for (const kept of [parts, seen.statistics, seen.parameters, seen.updates])
        for (const t of Object.values(kept)) tf.keep(t);
      return loss as tf.Scalar;
    };
    const { grads } = tf.engine().gradients(
      () => objective(...keys.map((key) => inputs[key]!)),
      keys.map((key) => inputs[key]!),
      undefined,
      true,
    );
    const follows = keys.some((key) => key.startsWith("variable/"));
    const passed: TensorMap = follows
      ? {
          ...prefixed("statistics/", seen.statistics),
          ...prefixed("variable/", seen.updates),
          ...prefixed("parameter/", seen.parameters),
        }
      : {};
    return { parts, passed, gradients: new Map(keys.map((key, i) => [key, grads[i]])) };
  };

  return {
    update: (groups) => (inputs) => {
      const { parts, passed, gradients: own } = differentiated(groups, inputs);
      const { gradients, cleared } = mean(recipe.accumulate, inputs, own);
      return {
        ...parts,
        ...(policy.own && prefixed("gradient/", ownOf(policy, inputs, gradients))),
        ...updated(groups, { policy, recipe }, inputs, withPenalty(policy, inputs, gradients)),
        ...cleared,
        ...passed,
      };
    },

    add: (groups) => (inputs) => {
      const { parts, passed, gradients } = differentiated(groups, inputs);
      return { ...parts, ...added(inputs, gradients), ...passed };
    },

    logits,

    evaluate: (inputs) => {
      const said = logits(inputs, "running");
      const count = said.shape[0]!;
      return {
        loss: tf.mul(crossEntropy(said, inputs.y!), count),
        correct: countCorrect(said, inputs.y!),
      };
    },

    measure: (inputs) => {
      const seen = nothingSeen();
      forward(inputs, "measure", seen);
      return seen.moments;
    },

    look: (inputs) => {
      const seen = nothingSeen();
      forward(inputs, "look", seen);
      return seen.looks;
    },
  };
}

/** Weights fill 2^b codes and have no level of their own at zero; signed activations keep the reference's sign(0) = 0. */
export function rangeOf(node: QuantizingNode, signed: boolean): { signed: boolean; zero: boolean } {
  return { signed: node.kind === "weight" ? true : signed, zero: node.kind === "input" && signed };
}
