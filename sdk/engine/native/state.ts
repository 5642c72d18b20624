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
  readonly places: ReadonlyMap<string, number>;

  constructor(
    private readonly backend: NativeBackend,
    { names, specs, signature, places }: Pick<NativeState, "names" | "specs" | "signature" | "places">,
    ids: readonly number[],
  ) {
    this.names = names;
    this.specs = specs;
    this.signature = signature;
    this.places = places;
    this.ids = ids.map((id) => backend.addon.retainTensor(id));
  }

  /** A state that begins with these tensors, which it takes over. */
  static of(backend: NativeBackend, tensors: TensorMap): NativeState {
    const names = Object.keys(tensors);
    const data = names.map((name) => backend.tensorMap.get(tensors[name]!.dataId));
    const specs = data.map(({ dtype, shape }, i) => ({ name: names[i]!, dtype, shape }));
    // A digest, because every run looks its function up by it.
    const signature = createHash("sha256").update(JSON.stringify(specs)).digest("hex");
    const places = new Map(names.map((name, place) => [name, place]));
    const ids = data.map((item) => backend.materialise(item));
    const state = new NativeState(backend, { names, specs, signature, places }, ids);
    for (const tensor of Object.values(tensors)) tensor.dispose();
    return state;
  }

  fork(): NativeState {
    checkHeld(this, this.names);
    return new NativeState(this.backend, this, this.ids);
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
