import * as tf from "@tensorflow/tfjs";
import { allocate } from "../graph/allocate.js";
import { type Budget, rows as budgetRows } from "../graph/budget.js";
import type { QuantizedGraph, QuantizingNode } from "../graph/graph.js";
import type { SchemeName } from "../staircase/schemes.js";
import type { Update } from "../train/loop.js";
import { ADAM } from "../train/optimizers.js";
import type { Assignment, Candidate, Policy } from "../train/policy.js";
import { precisionLoss, spentOf } from "../train/precision.js";
import { gumbel, stream } from "../train/random.js";
import { anneal } from "../train/schedule.js";
import type { Snapshot } from "../train/snapshot.js";
import { candidatesAt } from "./candidates.js";

/** What a scheme search looks for, beyond what every stage takes. */
export interface SearchSpace {
  /** "layer": each node its own scheme; "model": one for all weights, one for all inputs of a kind. */
  readonly granularity: "layer" | "model";
  readonly schemes: { readonly weights: readonly SchemeName[]; readonly activations: readonly SchemeName[] };
  readonly bits: readonly number[];
  /** Gumbel-softmax temperature at the first and the last step. */
  readonly temperature: readonly [number, number];
  readonly budget?: Budget;
}

/** Adam for theta, as in differentiable architecture search: a short memory of the first moment. */
const THETA_ADAM = Object.freeze({ ...ADAM, beta1: 0.5 });

/** Logits of places that a row does not have: never drawn, no gradient. */
const ABSENT = -1e9;

/**
 * Scheme search as a policy. Every row of logits theta gives p = softmax((theta + Gumbel noise) / tau) over its nodes'
 * candidates, tau falling exponentially; the node's quantizer is sum_i p_i Q_i, one staircase (Gong et al., section 4).
 */
export interface Search {
  readonly policy: Policy;
  readonly candidates: Readonly<Record<string, readonly Candidate[]>>;
  /** Theta's update, with its own learning rate. */
  readonly update: Update;
  /** Logits of each node's candidates, out of the parameter theta [rows, width]. */
  theta(values: Float32Array): Record<string, Float32Array>;
  /** The best candidate of every node; within the budget where the search has one. */
  decide(values: Float32Array): Promise<Assignment>;
}

export function search(
  graph: QuantizedGraph,
  signed: Snapshot["signed"],
  space: SearchSpace,
  { seed, learningRate, warmup }: { seed: number; learningRate: number; warmup: number },
): Search {
  const candidates = Object.fromEntries(
    graph.nodes.map((node) => [node.id, candidatesAt(node, signed[node.id] ?? true, space)]),
  );
  const rowNames = [...new Set(graph.nodes.map((node) => rowName(node, signed, space)))];
  const rowOf = new Map(graph.nodes.map((node) => [node.id, rowNames.indexOf(rowName(node, signed, space))]));
  const width = Math.max(...Object.values(candidates).map((list) => list.length));
  const shape = [rowNames.length, width];
  const limits = space.budget ? budgetRows(space.budget, graph) : [];
  const present = presence(graph, candidates, rowOf, shape);

  const policy: Policy = {
    candidates: (node) => candidates[node.id]!,
    identity: JSON.stringify(space),
    parameters: { theta: { shape, dtype: "float32", data: new Float32Array(rowNames.length * width) } },
    controls: (t, steps) => ({
      temperature: {
        shape: [],
        dtype: "float32",
        data: Float32Array.of(anneal(...space.temperature, t, steps)),
      },
      gumbel: { shape, dtype: "float32", data: gumbel(stream(seed, "gumbel", t), rowNames.length * width) },
    }),
    mix: ({ theta }, { gumbel: noise, temperature }) => {
      const logits = tf.add(
        tf.div(tf.add(theta!, noise!), temperature!),
        tf.tensor2d(present, shape as [number, number]),
      );
      const p = tf.unstack(tf.softmax(logits));
      return Object.fromEntries(
        graph.nodes.map((node) => [
          node.id,
          { p: tf.slice(p[rowOf.get(node.id)!]!, 0, candidates[node.id]!.length) as tf.Tensor1D },
        ]),
      );
    },
    rows: rowNames.map((name, row) => {
      const reader = graph.nodes.find((node) => rowOf.get(node.id) === row)!;
      return { name, candidates: candidates[reader.id]! };
    }),
    own: ({ id }) => ({
      parameter: "theta",
      start: rowOf.get(id)! * width,
      length: candidates[id]!.length,
    }),
    ...(limits.length > 0 && {
      spent: ({ theta: values }: Readonly<Record<string, Float32Array>>) =>
        spentOf(limits, meanBits(candidates, theta(values!))),
      penalty: ({ theta }: Record<string, tf.Tensor>) =>
        precisionLoss(
          limits,
          graph.nodes.map((node) => node.id),
          expectedBits(theta!),
        ),
    }),
  };

  /** Mean bitwidth of every node under softmax(theta), [N]. */
  function expectedBits(theta: tf.Tensor): tf.Tensor {
    const bits = new Float32Array(graph.nodes.length * width);
    for (const [index, node] of graph.nodes.entries()) {
      for (const [c, candidate] of candidates[node.id]!.entries()) bits[index * width + c] = candidate.bits;
    }
    const p = tf.softmax(tf.add(theta, tf.tensor2d(present, shape as [number, number])));
    const perNode = tf.gather(
      p,
      tf.tensor1d(
        graph.nodes.map((node) => rowOf.get(node.id)!),
        "int32",
      ),
    );
    return tf.sum(tf.mul(perNode, tf.tensor2d(bits, [graph.nodes.length, width])), 1);
  }

  const theta = (values: Float32Array): Record<string, Float32Array> =>
    Object.fromEntries(
      graph.nodes.map((node) => {
        const start = rowOf.get(node.id)! * width;
        return [node.id, values.slice(start, start + candidates[node.id]!.length)];
      }),
    );

  return {
    policy,
    candidates,
    update: {
      parameters: "theta",
      schedule: { peak: learningRate, warmup, floor: 1 },
      optimizer: THETA_ADAM,
    },
    theta,
    decide: async (values) =>
      limits.length > 0
        ? decideWithin(graph, space.budget!, candidates, theta(values))
        : Object.fromEntries(
            Object.entries(theta(values)).map(([id, logits]) => [id, candidates[id]![argMax(logits)]!]),
          ),
  };
}

/** Which logits a node shares: its own ("layer"), or those of its kind ("model"). */
function rowName(node: QuantizingNode, signed: Snapshot["signed"], { granularity }: SearchSpace): string {
  if (granularity === "layer") return node.id;
  return node.kind === "weight" ? "weights" : signed[node.id] ? "signed inputs" : "unsigned inputs";
}

function presence(
  graph: QuantizedGraph,
  candidates: Search["candidates"],
  rowOf: ReadonlyMap<string, number>,
  [rows, width]: readonly number[],
): Float32Array {
  const values = new Float32Array(rows! * width!).fill(ABSENT);
  for (const node of graph.nodes) {
    const start = rowOf.get(node.id)! * width!;
    values.fill(0, start, start + candidates[node.id]!.length);
  }
  return values;
}

/** Bitwidths by integer program around the expected ones, then each node's likeliest scheme at its bitwidth. */
async function decideWithin(
  graph: QuantizedGraph,
  budget: Budget,
  candidates: Search["candidates"],
  theta: Readonly<Record<string, Float32Array>>,
): Promise<Assignment> {
  const target = meanBits(candidates, theta);
  const choices: Record<string, number[]> = {};
  for (const { id } of graph.nodes)
    choices[id] = [...new Set(candidates[id]!.map(({ bits }) => bits))].sort((a, b) => a - b);
  const { bits } = await allocate({ graph, choices, target, gamma: 1, budget });
  return Object.fromEntries(
    graph.nodes.map(({ id }) => {
      const logits = theta[id]!.map((value, i) => (candidates[id]![i]!.bits === bits[id] ? value : ABSENT));
      return [id, candidates[id]![argMax(logits)]!];
    }),
  );
}

/** The mean bitwidth of every node under softmax(theta). */
function meanBits(
  candidates: Search["candidates"],
  theta: Readonly<Record<string, Float32Array>>,
): Record<string, number> {
  return Object.fromEntries(
    Object.entries(theta).map(([id, logits]) => {
      const p = softmax(logits);
      return [id, candidates[id]!.reduce((sum, { bits }, i) => sum + bits * p[i]!, 0)];
    }),
  );
}

function softmax(logits: Float32Array): number[] {
  const top = Math.max(...logits);
  const powers = Array.from(logits, (value) => Math.exp(value - top));
  const sum = powers.reduce((a, b) => a + b, 0);
  return powers.map((value) => value / sum);
}

const argMax = (values: Float32Array): number => values.indexOf(Math.max(...values));
