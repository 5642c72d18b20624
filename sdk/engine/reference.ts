import * as tf from "@tensorflow/tfjs";
import { checkedInputs, checkedOutputs, disposedStep } from "./contract.js";
import type { Engine, Step, TensorMap } from "./engine.js";
import { onBackend } from "./on-backend.js";

const BACKEND = "cpu";

class ReferenceStep implements Step {
  readonly traced = { milliseconds: 0, count: 0 };
  private names: readonly string[] | undefined;
  private disposed = false;

  constructor(
    private readonly name: string,
    private readonly body: (inputs: TensorMap) => TensorMap,
  ) {}

  async run(inputs: TensorMap): Promise<TensorMap> {
    if (this.disposed) throw disposedStep(this.name);
    const names = checkedInputs(this.name, inputs, this.names);
    this.names = names;
    return onBackend(BACKEND, () =>
      tf.tidy(() => {
        // Clones, so that a body may dispose or return an input without touching the caller's tensor.
        const outputs = checkedOutputs(this.name, this.body(cloned(names, inputs)));
        return cloned(Object.keys(outputs), outputs);
      }),
    );
  }

  dispose(): void {
    this.disposed = true;
  }
}

function cloned(names: readonly string[], tensors: TensorMap): TensorMap {
  return Object.fromEntries(names.map((name) => [name, tensors[name]!.clone()]));
}

/** The engine on plain tfjs: slow, eager, and the measure of what the native one computes. */
export async function referenceEngine(): Promise<Engine> {
  await tf.setBackend(BACKEND);
  return { name: "reference", device: "cpu", compile: (name, body) => new ReferenceStep(name, body) };
}
