import type { Config } from "../config.js";
import type { Reference } from "./calls.js";

/** What is to be built: every word of its writer translated, every call of every layer known. */
export type Blueprint = LayerBlueprint | SequentialBlueprint | FunctionalBlueprint;

export interface LayerBlueprint {
  readonly kind: "layer";
  readonly name: string;
  readonly className: string;
  /** As files have it, in snake case. */
  readonly config: Config;
  /** The model that the layer applies, such as that of a TimeDistributed. */
  readonly wrapped?: Blueprint;
}

export interface SequentialBlueprint {
  readonly kind: "sequential";
  readonly name: string;
  readonly layers: readonly Blueprint[];
}

/** Calls are counted from 0 for each layer, whatever it is; the tensor that an InputLayer makes is of its call 0. */
export interface FunctionalBlueprint {
  readonly kind: "functional";
  readonly name: string;
  readonly layers: readonly CalledLayer[];
  readonly inputs: readonly Reference[];
  readonly outputs: readonly Reference[];
}

export interface CalledLayer {
  readonly blueprint: Blueprint;
  /** The inputs of each of its calls. */
  readonly calls: readonly (readonly Reference[])[];
}
