import * as tf from "@tensorflow/tfjs";
import { AutoqnnError } from "../errors.js";
import {
  cancelledStep,
  checkedInputs,
  checkedOutputs,
  checkedState,
  checkFits,
  checkHeld,
  disposedStep,
} from "./contract.js";
import type { Engine, RunOptions, State, Step, TensorMap } from "./engine.js";
import { onBackend } from "./on-backend.js";
import { elements, type Pipeline, runsOf } from "./pipeline.js";

const BACKEND = "cpu";

class ReferenceState implements State {
  /** Never: a run is over when it returns. */
  readonly busy = false;
  disposed = false;

  constructor(public tensors: TensorMap) {}

  get names(): readonly string[] {
    return Object.keys(this.tensors);
  }

  read(names = this.names): TensorMap {
    checkHeld(this, names);
    return onBackend(BACKEND, () => cloned(names, this.tensors));
  }

  fork(): ReferenceState {
    return new ReferenceState(this.read());
  }

  dispose(): void {
    this.disposed = true;
    tf.dispose(this.tensors);
    this.tensors = {};
  }
}

class ReferenceStep implements Step {
  readonly traced = { milliseconds: 0, count: 0 };
  private names: readonly string[] | undefined;
  private disposed = false;

  constructor(
    private readonly name: string,
    private readonly body: (inputs: TensorMap) => TensorMap,
  ) {}

  async run(inputs: TensorMap, { state: given, signal }: RunOptions = {}): Promise<TensorMap> {
    if (this.disposed) throw disposedStep(this.name);
    if (signal?.aborted) throw cancelledStep(this.name);
    const state = checkedState(this.name, given, inputs, ReferenceState);
    const names = checkedInputs(this.name, inputs, this.names);
    this.names = names;
    const held = state?.tensors ?? {};
    const outputs = onBackend(BACKEND, () =>
      tf.tidy(() => {
        // Clones, so that a body may dispose or return an input without touching the caller's tensor.
        const all = { ...cloned(Object.keys(held), held), ...cloned(names, inputs) };
        const returned = checkedOutputs(this.name, this.body(all));
        for (const [name, { shape, dtype }] of Object.entries(returned))
          checkFits(this.name, { name, shape, dtype }, held[name]);
        return cloned(Object.keys(returned), returned);
      }),
    );
    if (state === undefined) return outputs;
    const changed = Object.keys(outputs).filter((name) => name in held);
    for (const name of changed) held[name]!.dispose();
    state.tensors = { ...held, ...Object.fromEntries(changed.map((name) => [name, outputs[name]!])) };
    return Object.fromEntries(Object.entries(outputs).filter(([name]) => !(name in held)));
  }

  dispose(): void {
    this.disposed = true;
  }
}

function cloned(names: readonly string[], tensors: TensorMap): TensorMap {
  return Object.fromEntries(names.map((name) => [name, tensors[name]!.clone()]));
}

async function* referenceBatches(name: string, pipeline: Pipeline): AsyncGenerator<TensorMap, void> {
  const { images, order, rows, body } = pipeline;
  if (images.files !== undefined) {
    throw new AutoqnnError(
      "engine",
      `Expected bytes of images at "${name}", received files, which the reference engine does not decode.`,
      "Unset AUTOQNN_ENGINE to use the native engine.",
    );
  }
  const imageSize = elements(images.shape);
  for (const { first: start, size, count } of runsOf(pipeline)) {
    for (let first = start; first < start + size * count; first += size) {
      const bytes = new Int32Array(size * imageSize);
      order.subarray(first, first + size).forEach((image, n) => {
        bytes.set(images.pixels.subarray(image * imageSize, (image + 1) * imageSize), n * imageSize);
      });
      yield onBackend(BACKEND, () =>
        tf.tidy(() => {
          const inputs: TensorMap = { image: tf.tensor(bytes, [size, ...images.shape], "int32") };
          for (const [key, { values, shape }] of Object.entries(rows)) {
            const width = elements(shape);
            const mine = values.slice(first * width, (first + size) * width);
            inputs[key] = tf.tensor(mine, [size, ...shape], "int32");
          }
          const outputs = checkedOutputs(name, body(inputs));
          return cloned(Object.keys(outputs), outputs);
        }),
      );
    }
  }
}

/** The engine on plain tfjs: slow, eager, and the measure of what the native one computes. */
export async function referenceEngine(): Promise<Engine> {
  await tf.setBackend(BACKEND);
  return {
    name: "reference",
    device: "cpu",
    compile: (name, body) => new ReferenceStep(name, body),
    state: (tensors) => new ReferenceState(tensors),
    batches: referenceBatches,
  };
}
