import * as tf from "@tensorflow/tfjs";
import type { TensorMap } from "../engine/engine.js";
import type { QuantizingNode } from "../graph/graph.js";
import type { SchemeName } from "../staircase/schemes.js";
import type { HostTensor } from "./snapshot.js";

/** A scheme at a bitwidth: one thing that may stand at a node. */
export interface Candidate {
  readonly scheme: SchemeName;
  readonly bits: number;
}

/** What a search, learning and generation are about: node id -> scheme and bitwidth. */
export type Assignment = Readonly<Record<string, Candidate>>;

/** The weights p of a node's candidates, [C], summing to 1; candidates with `active` 0 are left out, p or not. */
export interface Mix {
  readonly p: tf.Tensor1D;
  readonly active?: tf.Tensor1D;
}

/** What a quantizer that is no staircase of a scheme makes of a node's values. */
export interface OwnQuantized {
  readonly y: tf.Tensor;
  /** Parameters that follow the values without a gradient, by name: their next values, taken over in training alone. */
  readonly moved?: TensorMap;
}

/** A traced function of a node's values and of the policy's parameters, differentiable by both as its method says. */
export type OwnQuantizer = (x: tf.Tensor, parameters: TensorMap) => OwnQuantized;

/** Where in a policy's parameters a node's own lie: its real bitwidth, or the logits of its candidates. */
export interface Own {
  readonly parameter: "bits" | "theta";
  readonly start: number;
  readonly length: number;
}

/**
 * What stands at the nodes while a stage trains, and which parameters decide it. Each stage is a policy; the loop knows
 * nothing else of it.
 */
export interface Policy {
  /** The candidates at `node`, in the order of `mix(...).p`. None: the node stays in floating point. */
  candidates(node: QuantizingNode): readonly Candidate[];
  /** A quantizer of the policy's own, in the place of candidates: for methods that are not staircases of schemes. */
  quantizer?(node: QuantizingNode): OwnQuantizer | undefined;
  /** What tells the policy from others beyond its candidates and parameters: a checkpoint is continued only under the same. */
  readonly identity?: string;
  /** Initial values of the policy's own trained parameters, for example theta. */
  readonly parameters: Readonly<Record<string, HostTensor>>;
  /** The mixture at every node, a traced function of the parameters and of this step's controls. */
  mix(parameters: TensorMap, controls: TensorMap): Readonly<Record<string, Mix>>;
  /** Added to the classification loss, for example the precision loss. */
  penalty?(parameters: TensorMap): tf.Tensor;
  /** Limits that hold after every update, for example 1 <= b <= 8. */
  project?(name: string, value: tf.Tensor): tf.Tensor;
  /** Which of the policy's own parameters are a node's, for those who watch them. */
  own?(node: QuantizingNode): Own;
  /** Values that change from step to step, `t` counted from 1. */
  controls?(t: number, steps: number): Readonly<Record<string, HostTensor>>;
  /** The rows of the policy's own parameter, [rows] or [rows, candidates], for whoever watches. */
  readonly rows?: readonly PolicyRow[];
  /** How far parameters of these values keep the budget, for whoever watches; one entry for each limit, its worst. */
  spent?(parameters: Readonly<Record<string, Float32Array>>): readonly Spent[];
}

/** What one row of a policy's own parameter decides: a node, or all nodes that share the row. */
export interface PolicyRow {
  readonly name: string;
  readonly candidates: readonly Candidate[];
}

/** What a limit of a budget allows, and how much of it the parameters of the moment would use, in the limit's unit. */
export interface Spent {
  readonly name: string;
  readonly unit: string;
  readonly used: number;
  readonly limit: number;
}

/** No quantizer anywhere: floating-point training. */
export const FLOATING: Policy = Object.freeze({ candidates: () => [], parameters: {}, mix: () => ({}) });

/** One scheme and bitwidth per node, as in fine-tuning and evaluation. Nodes not named stay in floating point. */
export function fixedPolicy(assignment: Assignment): Policy {
  return Object.freeze({
    candidates: (node: QuantizingNode) => {
      const chosen = assignment[node.id];
      return chosen ? [chosen] : [];
    },
    parameters: {},
    mix: () =>
      Object.fromEntries(Object.keys(assignment).map((id) => [id, { p: tf.ones([1]) as tf.Tensor1D }])),
  });
}
