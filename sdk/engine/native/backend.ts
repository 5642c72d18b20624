import { createRequire } from "node:module";
import util from "node:util";
import * as tf from "@tensorflow/tfjs";
import { AutoqnnError } from "../../errors.js";
import { onBackend } from "../on-backend.js";
import { type Addon, type Attribute, type HostValues, type Metadata, reason } from "./addon.js";
import { Functions } from "./functions.js";
import { ImageTensors } from "./images.js";
import type { Trace } from "./trace.js";

/** What tfjs's node backend keeps of a tensor: its id in the addon, or values that no kernel has asked for yet. */
export interface TensorData {
  readonly shape: number[];
  readonly dtype: number;
  values: HostValues | null;
  id: number;
}

/** The parts of tfjs's node backend that are used or overridden here; some are private in its own declarations. */
interface NodeBackend extends tf.KernelBackend {
  readonly binding: Binding;
  readonly tensorMap: tf.DataStorage<TensorData>;
  readonly isUsingGpuDevice: boolean;
  getDTypeInteger(dtype: tf.DataType): number;
  getInputTensorIds(tensors: readonly tf.TensorInfo[]): number[];
  createOutputTensor(metadata: Metadata): tf.Tensor;
  executeSingleOutput(
    type: string,
    attributes: readonly Attribute[],
    inputs: readonly tf.TensorInfo[],
  ): tf.Tensor;
}

// tfjs's kernels use functions of node:util that newer versions of Node warn of, or lack.
Object.assign(util, { isNullOrUndefined: (value: unknown) => value == null, isArray: Array.isArray });

const require = createRequire(import.meta.url);
// The package's index loads a binary of its own; these two modules are all of it that is needed.
const { NodeJSKernelBackend } = require("@tensorflow/tfjs-node-gpu/dist/nodejs_kernel_backend.js") as {
  NodeJSKernelBackend: new (binding: Binding, packageName: string) => NodeBackend;
};
require("@tensorflow/tfjs-node-gpu/dist/register_all_kernels.js");

/** The name under which tfjs's node kernels are registered. */
export const BACKEND = "tensorflow";

/** The id of a tensor that is not in the addon yet. */
const ABSENT = -1;

/** What tfjs's node backend asks of its binding: the addon, or the graph of a trace while there is one. */
class Binding {
  trace: Trace | undefined;

  constructor(private readonly addon: Addon) {
    // The constants TF_*; the methods stay the addon's own.
    for (const [name, value] of Object.entries(addon)) {
      if (typeof value === "number") Object.defineProperty(this, name, { value });
    }
  }

  createTensor(shape: number[], dtype: number, values: HostValues): number {
    if (this.trace !== undefined) return this.trace.constant(shape, dtype, values);
    return this.addon.createTensor(shape, dtype, values);
  }

  deleteTensor(id: number): void {
    if (id >= 0) this.addon.deleteTensor(id);
  }

  tensorDataSync(id: number): HostValues | BigInt64Array {
    if (this.trace !== undefined) throw this.trace.refuseReading();
    return this.addon.tensorDataSync(id);
  }

  executeOp(type: string, attributes: Attribute[], inputs: number[], outputs: number): Metadata[] {
    if (this.trace !== undefined) return this.trace.operation(type, attributes, inputs, outputs);
    try {
      return this.addon.executeOp(type, attributes, inputs, outputs);
    } catch (error) {
      throw new AutoqnnError(
        "engine",
        `Expected TensorFlow to run an operation, received ${reason(error)}.`,
        "Check the shapes and types of its inputs.",
        { cause: error },
      );
    }
  }

  isUsingGpuDevice(): boolean {
    return this.addon.isUsingGpuDevice();
  }

  getNumOfTensors(): number {
    return this.addon.getNumOfTensors();
  }
}

/** tfjs's node backend on our addon: kernels execute at once, or, within `record`, build a graph. */
export class NativeBackend extends NodeJSKernelBackend {
  /** Data made during a trace; whatever else a traced body uses was there before. */
  private readonly traced = new Set<tf.DataId>();
  private readonly variables = new Map<tf.DataId, string>();
  readonly images: ImageTensors;
  readonly expressions: boolean;
  readonly functions: Functions;

  /** @param xla whether steps of training are compiled by XLA */
  constructor(
    readonly addon: Addon,
    readonly xla: boolean,
  ) {
    super(new Binding(addon), "@tensorflow/tfjs-node-gpu");
    this.functions = new Functions(addon);
    this.expressions = xla;
    this.images = new ImageTensors(addon);
  }

  /** Throws where the body of one step runs another step. */
  refuseWithin(step: string): void {
    if (this.binding.trace !== undefined) throw this.binding.trace.refuseStep(step);
  }

  /**
   * Runs `body` with its kernels recorded into `trace`. Afterwards tfjs is as it was before, also when `body` throws.
   *
   * @throws AutoqnnError `untraceable` for what the graph would freeze.
   */
  record(trace: Trace, body: () => void): void {
    const engine = tf.engine();
    const outer = engine.state;
    const known = Object.values(outer.registeredVariables).map((variable) => ({
      variable,
      dataId: variable.dataId,
    }));
    for (const { variable, dataId } of known) this.variables.set(dataId, variable.name);
    // A state of its own takes with it whatever the body keeps, or leaves half done when it throws.
    engine.state = Object.assign(new (outer.constructor as new () => typeof outer)(), {
      tensorInfo: outer.tensorInfo,
      registeredVariables: { ...outer.registeredVariables },
    });
    this.binding.trace = trace;
    try {
      onBackend(BACKEND, () => engine.tidy(trace.step, body));
      const made = Object.keys(engine.state.registeredVariables).find(
        (name) => !(name in outer.registeredVariables),
      );
      if (made !== undefined) throw trace.refuseVariable(made);
      const assigned = known.find(({ variable, dataId }) => variable.dataId !== dataId);
      if (assigned !== undefined) throw trace.refuseAssignment(assigned.variable.name);
    } finally {
      this.binding.trace = undefined;
      engine.state = outer;
      for (const { variable, dataId } of known) variable.dataId = dataId;
      for (const dataId of this.traced) if (this.tensorMap.has(dataId)) this.tensorMap.delete(dataId);
      this.traced.clear();
      this.variables.clear();
    }
  }

  override getInputTensorIds(tensors: readonly tf.TensorInfo[]): number[] {
    const { trace } = this.binding;
    if (trace === undefined) return super.getInputTensorIds(tensors);
    return tensors.map((tensor) => {
      // A 64-bit scalar has no data of its own.
      if (tensor.dataId === undefined) return super.getInputTensorIds([tensor])[0]!;
      const data = this.tensorMap.get(tensor.dataId);
      if (!this.traced.has(tensor.dataId)) {
        const variable = this.variables.get(tensor.dataId);
        if (variable !== undefined) throw trace.refuseVariable(variable);
        return trace.capture(this.materialise(data), data.dtype, data.shape);
      }
      // The values stay beside the id: the body may read what it wrote itself.
      if (data.id === ABSENT) data.id = trace.constant(data.shape, data.dtype, data.values!);
      return data.id;
    });
  }

  /** The id of an eager tensor, made of its values where no kernel has needed it yet. */
  materialise(data: TensorData): number {
    if (data.values !== null) {
      data.id = this.addon.createTensor(data.shape, data.dtype, data.values);
      data.values = null;
    }
    return data.id;
  }

  override createOutputTensor(metadata: Metadata): tf.Tensor {
    const tensor = super.createOutputTensor(metadata);
    if (this.binding.trace !== undefined) this.traced.add(tensor.dataId);
    return tensor;
  }

  override write(values: tf.backend_util.BackendValues, shape: number[], dtype: tf.DataType): tf.DataId {
    this.binding.trace?.refuseRandom();
    const dataId = super.write(values, shape, dtype) as tf.DataId;
    if (this.binding.trace !== undefined) this.traced.add(dataId);
    return dataId;
  }

  override readSync(dataId: tf.DataId): tf.backend_util.BackendValues {
    const { trace } = this.binding;
    if (trace !== undefined && !(this.traced.has(dataId) && this.tensorMap.get(dataId).values !== null)) {
      throw trace.refuseReading();
    }
    return super.readSync(dataId);
  }

  override read(dataId: tf.DataId): Promise<tf.backend_util.BackendValues> {
    const { trace } = this.binding;
    if (trace === undefined) return super.read(dataId);
    // The refusal stands; a rejection that nobody awaits would end the process.
    trace.refuseReading();
    return new Promise(() => {});
  }

  override incRef(dataId: tf.DataId): void {
    if (this.binding.trace === undefined || this.traced.has(dataId)) super.incRef(dataId);
  }

  override disposeData(dataId: tf.DataId, force?: boolean): boolean {
    // What was there before the trace is counted outside of it.
    if (this.binding.trace !== undefined && !this.traced.has(dataId)) return false;
    return super.disposeData(dataId, force);
  }
}
