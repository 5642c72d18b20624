import { readdirSync, readFileSync } from "node:fs";
import { gunzipSync } from "node:zlib";

/** A tensor as Keras computed it, to seven digits. */
export interface Numbers {
  readonly shape: readonly number[];
  readonly values: readonly number[];
}

/** One pass of Keras: outputs, and the gradients of sum(outputs * formula). */
export interface Pass {
  readonly outputs: readonly Numbers[];
  readonly inputGradients?: readonly Numbers[];
  readonly weightGradients?: Readonly<Record<string, Numbers>>;
  /** What weights that are not trained become in training. */
  readonly updates?: Readonly<Record<string, Numbers>>;
}

/** A model of Keras and what it computes: an entry of what cases.py writes. */
export interface LayerCase {
  readonly name: string;
  readonly writer: "keras2" | "keras3";
  readonly topology: unknown;
  readonly batch: number;
  readonly inputs: readonly {
    readonly shape: readonly number[];
    readonly low: number;
    readonly high: number;
    readonly dtype: "float32" | "int32" | "bool";
  }[];
  readonly weights: readonly { readonly name: string; readonly shape: readonly number[] }[];
  readonly inference: Pass;
  readonly training?: Pass;
}

const FOLDER = new URL("fixtures/", import.meta.url);

/** Every family of layers, by its name. */
export function families(): readonly (readonly [string, readonly LayerCase[]])[] {
  return readdirSync(FOLDER)
    .filter((name) => name.endsWith(".json.gz"))
    .sort()
    .map((name) => {
      const text = gunzipSync(readFileSync(new URL(name, FOLDER))).toString("utf8");
      return [name.replace(/\.json\.gz$/, ""), JSON.parse(text) as LayerCase[]] as const;
    });
}
