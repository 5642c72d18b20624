import type { Figure, SchemeName, Score } from "../sdk/index.js";
import type { Table } from "../sdk/table.js";

/** A network to have trained: the unit of work that experiments share. */
export interface Request {
  readonly network: string;
  /** The name of a row of `METHODS`, or `FLOATING`. */
  readonly method: string;
  /** The average bits that the network may have, those of weights and of inputs each; 32 in floating point. */
  readonly bits: number;
  readonly seed: number;
}

/** The method that trains on in floating point, for as many steps as the others; its requests have `FLOATING_BITS`. */
export const FLOATING = "floating point";
export const FLOATING_BITS = 32;

/** What a trained network gave. */
export interface Outcome extends Request {
  /** Learning rate of the fine-tune. */
  readonly rate: number;
  /** Training steps in all, those of searches included. */
  readonly steps: number;
  readonly validation: Score;
  readonly test: Score;
  /** Bytes of all weight codes. */
  readonly bytes: number;
  /** Mean bitwidths of weights, and of the values of inputs. */
  readonly averageBits: { readonly weights: number; readonly activations: number };
  /** Which contenders the stages kept. */
  readonly chosen?: string;
  /** What stands at every node, in the order of the network; absent where there is no scheme to name. */
  readonly nodes?: readonly Chosen[];
  /** Bytes of weights and of the most activations that are live at once, for one image. */
  readonly memoryBytes?: number;
  /** It went on from a checkpoint: its seconds are those of its last part. */
  readonly resumed?: boolean;
  /** Wall-clock seconds from the floating-point network to the outcome, evaluation included. */
  readonly seconds: number;
  /** Seconds of all cores together for the same, where no GPU computes: what else the machine does changes them little. */
  readonly processorSeconds?: number;
  readonly stages?: readonly TimedStage[];
  /** Most memory that the process had, in MB of 10^6 bytes; absent where it trained other networks besides. */
  readonly peakMegabytes?: number;
}

/** What was decided at one node. */
export interface Chosen {
  readonly id: string;
  readonly layer: string;
  readonly kind: "weight" | "input";
  readonly scheme: SchemeName;
  readonly bits: number;
  readonly elements: number;
}

/** Seconds that a stage took, and milliseconds of a step of it on average. */
export interface TimedStage {
  readonly name: string;
  readonly seconds: number;
  readonly stepMilliseconds?: number;
}

/** The outcomes that there are. */
export interface Found {
  of(request: Request): Outcome | undefined;
}

/** What an experiment needs to know of a scale. */
export interface Extent {
  readonly name: string;
  /** Stands behind the title of a table: on what networks and data, for how many steps. */
  readonly title: string;
  readonly networks: readonly string[];
  readonly seeds: readonly number[];
  /** The seeds of what is claimed, where they are more. */
  readonly claimSeeds?: readonly number[];
  /** Average bits to compare at, ascending. */
  readonly bits: readonly number[];
  /** The networks on which parts are left out and budgets are of memory; all where it is absent. */
  readonly ablated?: readonly string[];
}

/** One table of the paper: what must be trained for it, and how the outcomes are shown. */
export interface Experiment {
  readonly number: number;
  readonly name: string;
  title(scale: Extent): string;
  requests(scale: Extent): readonly Request[];
  render(scale: Extent, found: Found): Rendered;
}

/** An experiment as it is written: tables, plain sentences about them, figures. */
export interface Rendered {
  readonly tables: readonly { readonly caption: string; readonly table: Table }[];
  readonly notes: readonly string[];
  readonly figures: readonly { readonly name: string; readonly caption: string; readonly figure: Figure }[];
}
