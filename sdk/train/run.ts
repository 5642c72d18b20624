import type { Finding } from "./health/finding.js";
import type { Assignment, Candidate } from "./policy.js";
import type { Snapshot } from "./snapshot.js";

/** A parameter of every step, row after row: theta has rows of [nodes * candidates], bits of [nodes]. */
export interface Trace {
  /** Length of one row, as a shape. */
  readonly row: readonly number[];
  /** [steps, ...row] */
  readonly data: Float32Array;
}

/** What a stage measured while it trained. */
export interface History {
  readonly steps: number;
  /** Classification loss of each step's batch, nats; of several that make an update, their mean. */
  readonly loss: Float32Array;
  /** Fraction of each step's examples that was classified correctly. */
  readonly accuracy: Float32Array;
  /** The stage's own parameters at each step, by name: "theta", "bits". */
  readonly traces: Readonly<Record<string, Trace>>;
  /** Wall-clock seconds spent in training steps. */
  readonly seconds: number;
}

/** What was noted of the nodes while a stage trained, besides its history. */
export interface Observed {
  /** Gradient of the classification loss, without penalties, by the stage's own parameters; as `History.traces`. */
  readonly gradients: Readonly<Record<string, Trace>>;
  /** After which steps the nodes were looked at, and what was seen of each, `LOOK_SIZE` numbers a look; see `looksOf`. */
  readonly looks: {
    readonly steps: readonly number[];
    readonly nodes: Readonly<Record<string, Float32Array>>;
  };
}

/** Loss (nats) and accuracy (0..1) over a whole split. */
export interface Score {
  readonly loss: number;
  readonly accuracy: number;
  readonly count: number;
}

/** What every stage leaves: an immutable value of plain data, from which the next stage starts. */
export interface StageRun {
  readonly kind: "search" | "learn" | "tune";
  readonly options: Readonly<Record<string, unknown>>;
  readonly seed: number;
  readonly history: History;
  readonly assignment: Assignment;
  readonly snapshot: Snapshot;
  /**
   * What a stage after it starts from, where that is not `snapshot`: a search that kept the control hands on what it began with.
   */
  readonly handedOn?: Snapshot;
  /** What was wrong with the run, found while it trained; empty for a healthy one. */
  readonly health: readonly Finding[];
  /** Absent where nothing was trained. */
  readonly observed?: Observed;
  /** On the validation split, after the stage; absent without one. */
  readonly validation?: Score;
  readonly parent?: StageRun;
}

/** Result of scheme search. Rows of `theta` follow `nodes`; within a row, the node's own `candidates`. */
export interface SearchRun extends StageRun {
  readonly kind: "search";
  readonly nodes: readonly string[];
  readonly candidates: Readonly<Record<string, readonly Candidate[]>>;
  /** Final logits theta of each node's candidates. */
  readonly theta: Readonly<Record<string, Float32Array>>;
  /** What was searched against the control, clip at every node with the same bits; the best first. */
  readonly trials: readonly { readonly name: "searched" | "control"; readonly validation?: Score }[];
  /** The name of the trial that was kept: the least validation loss, the margin of what was searched added. */
  readonly chosen: "searched" | "control";
}

/** One way to round learned bitwidths to integers, tried by a short fine-tune. */
export interface Arm {
  readonly name: "gamma 1" | "gamma 2" | "control" | "sensitivity";
  readonly bits: Readonly<Record<string, number>>;
  /** Nodes whose bitwidth the program that rounds leaves open, and the rule for ties decided. */
  readonly ties: readonly string[];
  /** Whether the program came to its end; where not, slightly better bits may exist, and ties that are not named. */
  readonly proven: boolean;
  readonly validation?: Score;
}

/** Result of precision learning. Columns of the trace "bits" follow `nodes`. */
export interface LearnRun extends StageRun {
  readonly kind: "learn";
  readonly nodes: readonly string[];
  /** The real-valued bitwidths b at the end of learning, before rounding. */
  readonly learned: Readonly<Record<string, number>>;
  /** The best first. */
  readonly arms: readonly Arm[];
  /** The name of the arm that was chosen: the least validation loss. */
  readonly chosen: Arm["name"];
}

/** Result of fine-tuning. */
export interface TuneRun extends StageRun {
  readonly kind: "tune";
}

export type AnyRun = SearchRun | LearnRun | TuneRun;
