import * as tf from "@tensorflow/tfjs";
import { AutoqnnError } from "../../errors.js";
import {
  cancelledStep,
  checkedInputs,
  checkedState,
  checkFits,
  disposedStep,
  failedStep,
} from "../contract.js";
import type { Engine, RunOptions, Step, TensorMap } from "../engine.js";
import { onBackend } from "../on-backend.js";
import { xla as compilesByXla, openAddon } from "./addon.js";
import { BACKEND, NativeBackend, type TensorData } from "./backend.js";
import { nativeBatches } from "./batches.js";
import { registerGather } from "./gather.js";
import { mixedPrecision } from "./precision.js";
import { NativeState } from "./state.js";
import { Trace, type TraceOptions } from "./trace.js";
import { type Traced, traceBody } from "./traced.js";

/** The target of an output that takes nothing's place. */
const NOWHERE = -1;

class NativeStep implements Step {
  private readonly functions = new Map<string, Traced>();
  private names: readonly string[] | undefined;
  private timing = { milliseconds: 0, count: 0 };
  private running = 0;
  private disposed = false;

  constructor(
    private readonly backend: NativeBackend,
    private readonly name: string,
    private readonly body: (inputs: TensorMap) => TensorMap,
    private readonly options: Pick<TraceOptions, "xla" | "narrow">,
  ) {}

  get traced(): Step["traced"] {
    return this.timing;
  }

  async run(inputs: TensorMap, { state: given, signal }: RunOptions = {}): Promise<TensorMap> {
    if (this.disposed) throw disposedStep(this.name);
    if (signal?.aborted) throw cancelledStep(this.name);
    this.backend.refuseWithin(this.name);
    const state = checkedState(this.name, given, inputs, NativeState);
    const names = checkedInputs(this.name, inputs, this.names);
    this.names = names;
    const data = names.map((name) => this.backend.tensorMap.get(inputs[name]!.dataId));
    const traced = this.tracedFor(state, names, data);
    const own = data.map((item) => this.backend.materialise(item));
    const ids = [...(state?.ids ?? []), ...own, ...traced.trace.captured];
    const places = traced.outputs.map(({ name }) => state?.place(name));
    const targets = places.map((place) => (place === undefined ? NOWHERE : state!.ids[place]!));
    this.running++;
    if (state) state.busy = true;
    const { outputs, cancel } = this.backend.addon.runFunction(traced.function, ids, targets);
    signal?.addEventListener("abort", cancel);
    try {
      const results = await outputs;
      const returned = traced.outputs.filter((_, i) => places[i] === undefined);
      // tfjs books a new tensor on the backend that is current.
      const tensors = onBackend(BACKEND, () =>
        results.map((result) => this.backend.createOutputTensor(result)),
      );
      return Object.fromEntries(returned.map(({ name }, i) => [name, tensors[i]!]));
    } catch (error) {
      if (signal?.aborted) throw cancelledStep(this.name);
      throw failedStep(this.name, error);
    } finally {
      signal?.removeEventListener("abort", cancel);
      if (state) state.busy = false;
      this.running--;
      if (this.disposed) this.release();
    }
  }

  dispose(): void {
    this.disposed = true;
    this.release();
  }

  private tracedFor(
    state: NativeState | undefined,
    names: readonly string[],
    data: readonly TensorData[],
  ): Traced {
    const own = data.map(({ dtype, shape }) => `${dtype}[${shape}]`).join();
    const signature = `${state?.signature ?? ""};${own}`;
    const known = this.functions.get(signature);
    if (known !== undefined) return known;
    const started = performance.now();
    const inputs = data.map(({ dtype, shape }, i) => ({ name: names[i]!, dtype, shape }));
    const { addon, expressions, functions, isUsingGpuDevice } = this.backend;
    const options = { ...this.options, gates: !expressions && !isUsingGpuDevice, graph: functions.graph() };
    const trace = new Trace(addon, this.name, options);
    const specs = state?.specs ?? [];
    const traced = traceBody(this.backend, trace, [...specs, ...inputs], this.body, (outputs) => {
      for (const output of outputs) checkFits(this.name, output, specs[state?.place(output.name) ?? NOWHERE]);
    });
    this.timing = {
      milliseconds: this.timing.milliseconds + performance.now() - started,
      count: this.timing.count + 1,
    };
    this.functions.set(signature, traced);
    return traced;
  }

  /** Frees the functions, unless a run still needs one of them. */
  private release(): void {
    if (this.running > 0) return;
    for (const traced of this.functions.values()) {
      this.backend.functions.release(traced.function);
      traced.trace.release();
    }
    this.functions.clear();
  }
}

/**
 * The engine on libtensorflow, with tfjs's backend "tensorflow" registered and made the current one.
 *
 * @throws AutoqnnError `engine` where the native parts are missing.
 */
export async function nativeEngine(): Promise<Engine> {
  const backend = registeredBackend();
  const narrow = mixedPrecision();
  await tf.setBackend(BACKEND);
  return {
    name: "native",
    device: backend.addon.isUsingGpuDevice() ? "gpu" : "cpu",
    compile: (name, body, { training = false } = {}) =>
      new NativeStep(backend, name, body, { xla: training && backend.xla, narrow: training && narrow }),
    state: (tensors) => NativeState.of(backend, tensors),
    batches: (name, pipeline) => nativeBatches(backend, name, pipeline),
  };
}

function registeredBackend(): NativeBackend {
  const known = tf.findBackend(BACKEND);
  if (known instanceof NativeBackend) return known;
  if (known != null) {
    throw new AutoqnnError(
      "engine",
      `Expected tfjs's backend "${BACKEND}" to be free, found that of another package.`,
      "Do not import @tensorflow/tfjs-node beside autoqnn.",
    );
  }
  const addon = openAddon();
  const backend = new NativeBackend(addon, compilesByXla());
  registerGather(backend.addon);
  tf.registerBackend(BACKEND, () => backend, 3);
  return backend;
}
