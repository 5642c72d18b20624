import { existsSync } from "node:fs";
import { createRequire } from "node:module";
import { availableParallelism } from "node:os";
import { AutoqnnError } from "../../errors.js";
import { device, place } from "./place.mjs";

/** The values of a tensor on the host: a typed array, or the bytes of each string. */
export type HostValues = Float32Array | Int32Array | Uint8Array | Uint8ClampedArray | Uint8Array[];

/** A tensor's id in the addon, with its TensorFlow dtype. Ids below 0 are values of a graph. */
export interface Metadata {
  readonly id: number;
  readonly dtype: number;
  readonly shape: number[];
}

/** An attribute as tfjs's kernels write it; `type` is one of the `TF_ATTR_*` constants. */
export interface Attribute {
  readonly name: string;
  readonly type: number;
  readonly value: unknown;
}

/** A value of a graph; a shape that depends on values is null. */
export interface GraphValue extends Omit<Metadata, "shape"> {
  readonly shape: number[] | null;
}

/** An iterator over a dataset of tf.data. */
export type Iterator = object & { readonly iterator: unique symbol };

/** A TensorFlow graph under construction. Every method throws TensorFlow's message. */
export interface Graph {
  placeholder(dtype: number, shape: readonly number[]): Metadata;
  constant(shape: readonly number[], dtype: number, values: HostValues): Metadata;
  /** @param scope the beginning of the operation's name */
  operation(
    type: string,
    attributes: readonly Attribute[],
    inputs: readonly number[],
    outputs: number,
    scope: string,
  ): GraphValue[];
  /** Turns the graph into a function of the context, compiled by XLA if asked for, and returns the function's name. */
  finish(label: string, inputs: readonly number[], outputs: readonly number[], xla: boolean): string;
}

/** One stretch of time on one of TensorFlow's threads, in milliseconds; an operation's name ends in ":" and its type. */
export interface Span {
  readonly name: string;
  readonly thread: string;
  readonly start: number;
  readonly end: number;
}

/** A run of a function, off the JavaScript thread. */
export interface FunctionRun {
  /** The outputs that take no other's place. */
  readonly outputs: Promise<Metadata[]>;
  /** Fails the run at the next gate that it comes to; nothing happens to one that is over. */
  cancel(): void;
}

/** The native surface, all of it. */
export interface Addon {
  readonly Graph: new () => Graph;
  readonly TF_Version: string;
  readonly TF_FLOAT: number;
  readonly TF_BFLOAT16: number;
  readonly TF_INT32: number;
  readonly TF_INT64: number;
  readonly TF_BOOL: number;
  readonly TF_COMPLEX64: number;
  readonly TF_STRING: number;
  readonly TF_UINT8: number;
  readonly TF_ATTR_STRING: number;
  readonly TF_ATTR_INT: number;
  readonly TF_ATTR_FLOAT: number;
  readonly TF_ATTR_BOOL: number;
  readonly TF_ATTR_TYPE: number;
  readonly TF_ATTR_SHAPE: number;
  readonly TF_ATTR_FUNC: number;
  /** Makes the process's context, with that many threads within and between operations. */
  open(threads: number, gpu: boolean): void;
  /** On the device, unless it is to stay on the `host`. */
  createTensor(shape: readonly number[], dtype: number, values: HostValues, host?: boolean): number;
  /** A second id of the same tensor. */
  retainTensor(id: number): number;
  deleteTensor(id: number): void;
  tensorDataSync(id: number): HostValues | BigInt64Array;
  executeOp(
    type: string,
    attributes: readonly Attribute[],
    inputs: readonly number[],
    outputs: number,
    host?: boolean,
  ): Metadata[];
  /**
   * Runs a function off the JavaScript thread; its inputs live until it ends, whoever deletes them.
   *
   * @param targets for each output the id of the tensor whose place it takes once the run has succeeded, or -1
   */
  runFunction(name: string, inputs: readonly number[], targets: readonly number[]): FunctionRun;
  removeFunction(name: string): void;
  /** Records what TensorFlow's threads do until `stopProfile`, which returns it. */
  startProfile(): void;
  stopProfile(): Span[];
  /** Starts on a dataset, off the JavaScript thread; the dataset and its functions may go afterwards. */
  makeIterator(
    dataset: number,
    types: readonly number[],
    shapes: readonly (readonly number[])[],
  ): Promise<Iterator>;
  /** The tensors of the next element, undefined after the last; waits off the JavaScript thread. */
  nextElement(iterator: Iterator): Promise<Metadata[] | undefined>;
  /** Frees an iterator; garbage collection does it too, on the JavaScript thread. */
  closeIterator(iterator: Iterator): Promise<void>;
  isUsingGpuDevice(): boolean;
  getNumOfTensors(): number;
}

/**
 * TensorFlow's settings, unless the user has made them. It leaves oneDNN's convolutions off on processors without
 * AVX-512, where they halve the time of a step all the same.
 */
const SETTINGS = {
  TF_CPP_MIN_LOG_LEVEL: "2",
  ...(process.arch === "x64" ? { TF_ENABLE_ONEDNN_OPTS: "1" } : {}),
};

/** The number of threads that TensorFlow computes with: all cores, or AUTOQNN_THREADS. */
export function threads(): number {
  const asked = process.env.AUTOQNN_THREADS;
  if (!asked) return availableParallelism();
  const count = Number(asked);
  if (Number.isInteger(count) && count >= 1 && count <= 1024) return count;
  throw new AutoqnnError(
    "bad-option",
    `Expected a number of threads from 1 to 1024, received "${asked}" at AUTOQNN_THREADS.`,
    "Set another number, or unset it to use every core.",
  );
}

/**
 * Whether steps of training are compiled by XLA, which on a GPU launches fewer kernels; on a processor our own are quicker.
 * Only where asked for, by AUTOQNN_XLA: each stage and each trial has a step of its own, and how long one of ResNet20 with
 * quantizers takes to compile was not seen.
 */
export function xla(): boolean {
  const asked = process.env.AUTOQNN_XLA || "0";
  if (asked === "0" || asked === "1") return asked === "1";
  throw new AutoqnnError(
    "bad-option",
    `Expected "0" or "1", received "${asked}" at AUTOQNN_XLA.`,
    "Unset it to compile without XLA.",
  );
}

/**
 * Loads libtensorflow and makes its context, once per process.
 *
 * @throws AutoqnnError `engine` where the native parts are missing, `bad-option` for a bad AUTOQNN_DEVICE or AUTOQNN_THREADS.
 */
export function openAddon(): Addon {
  const flavour = device();
  if (flavour === undefined) {
    throw new AutoqnnError(
      "bad-option",
      `Expected "cpu" or "gpu", received "${process.env.AUTOQNN_DEVICE}" at AUTOQNN_DEVICE.`,
      "Unset it to use the GPU where there is an NVIDIA driver.",
    );
  }
  const count = threads();
  const { addon, loader } = place(flavour);
  const missing = [addon.file, loader.file].find((file) => !existsSync(file));
  if (missing !== undefined) {
    throw new AutoqnnError(
      "engine",
      `Expected the native engine at "${missing}", found nothing.`,
      "Run npm run setup.",
    );
  }
  for (const [name, value] of Object.entries(SETTINGS)) process.env[name] ??= value;
  const opened = load(loader.file, addon.file, count, flavour === "gpu");
  if (flavour === "gpu" && !opened.isUsingGpuDevice()) {
    throw new AutoqnnError(
      "engine",
      "Expected a GPU, TensorFlow found none it can use.",
      "Update the NVIDIA driver, or set AUTOQNN_DEVICE=cpu.",
    );
  }
  return opened;
}

function load(loader: string, file: string, threads: number, gpu: boolean): Addon {
  const require = createRequire(import.meta.url);
  try {
    (require(loader) as { load(path: string): void }).load(file);
    const addon = require(file) as Addon;
    addon.open(threads, gpu);
    return addon;
  } catch (error) {
    throw new AutoqnnError(
      "engine",
      `The native engine at "${file}" does not load: ${reason(error)}.`,
      "Run npm run setup.",
      {
        cause: error,
      },
    );
  }
}

/** The message of whatever was thrown. */
export function reason(error: unknown): string {
  return error instanceof Error ? error.message : String(error);
}
