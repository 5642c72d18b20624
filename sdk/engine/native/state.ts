import { createHash } from "node:crypto";
import type * as tf from "@tensorflow/tfjs";
import { checkHeld } from "../contract.js";
import type { State, TensorMap } from "../engine.js";
import { onBackend } from "../on-backend.js";
import { BACKEND, type NativeBackend } from "./backend.js";
import type { NamedSpec } from "./traced.js";

/** Tensors of the addon. Their ids stay the same: a run puts what it gave into the places of what it took. */
export class NativeState implements State {
  busy = false;
  disposed = false;
  readonly names: readonly string[];
  readonly specs: readonly NamedSpec[];
  /** In the order of the names. */
  readonly ids: readonly number[];
  /** What a trace depends on. */
  readonly signature: string;
  private readonly places: ReadonlyMap<string, number>;

  constructor(
    private readonly backend: NativeBackend,
    tensors: TensorMap,
  ) {
    this.names = Object.keys(tensors);
    const data = this.names.map((name) => backend.tensorMap.get(tensors[name]!.dataId));
    this.specs = data.map(({ dtype, shape }, i) => ({ name: this.names[i]!, dtype, shape }));
    this.ids = data.map((item) => backend.addon.retainTensor(backend.materialise(item)));
    // A digest, because every run looks its function up by it.
    this.signature = createHash("sha256").update(JSON.stringify(this.specs)).digest("hex");
    this.places = new Map(this.names.map((name, place) => [name, place]));
    for (const tensor of Object.values(tensors)) tensor.dispose();
  }

  /** Where the tensor of that name stands; undefined if there is none. */
  place(name: string): number | undefined {
    return this.places.get(name);
  }

  read(names = this.names): TensorMap {
    checkHeld(this, names);
    return onBackend(BACKEND, () => Object.fromEntries(names.map((name) => [name, this.clone(name)])));
  }

  dispose(): void {
    if (this.disposed) return;
    this.disposed = true;
    for (const id of this.ids) this.backend.addon.deleteTensor(id);
  }

  private clone(name: string): tf.Tensor {
    const place = this.places.get(name)!;
    const { dtype, shape } = this.specs[place]!;
    const id = this.backend.addon.retainTensor(this.ids[place]!);
    return this.backend.createOutputTensor({ id, dtype, shape: [...shape] });
  }
}
