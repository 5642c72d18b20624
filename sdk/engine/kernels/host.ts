import type { DataType, KernelBackend, TensorInfo } from "@tensorflow/tfjs";

/** What the kernels here use of tfjs's JavaScript backend. */
interface HostBackend extends KernelBackend {
  makeTensorInfo(shape: number[], dtype: DataType, values: Float32Array): TensorInfo;
}

/** The values of a tensor of the JavaScript backend, not a copy. */
export function read(backend: KernelBackend, tensor: TensorInfo): Float32Array {
  return backend.readSync(tensor.dataId) as Float32Array;
}

/** A float32 tensor of the JavaScript backend that takes over `values`. */
export function write(backend: KernelBackend, shape: readonly number[], values: Float32Array): TensorInfo {
  return (backend as HostBackend).makeTensorInfo([...shape], "float32", values);
}
