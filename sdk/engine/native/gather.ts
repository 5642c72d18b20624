import * as tf from "@tensorflow/tfjs";
import type { Addon } from "./addon.js";
import { BACKEND, type NativeBackend } from "./backend.js";

/**
 * Replaces tfjs's kernel of `tf.gather`, which reads the indices on the host to check them: within a compiled step
 * there is nothing to read, and TensorFlow checks them itself.
 */
export function registerGather({ TF_ATTR_INT, TF_ATTR_TYPE, TF_INT32 }: Addon): void {
  tf.unregisterKernel(tf.GatherV2, BACKEND);
  tf.registerKernel({
    kernelName: tf.GatherV2,
    backendName: BACKEND,
    kernelFunc({ inputs, attrs, backend }) {
      const { x, indices } = inputs as { x: tf.TensorInfo; indices: tf.TensorInfo };
      const { axis, batchDims } = attrs as unknown as tf.GatherV2Attrs;
      const native = backend as NativeBackend;
      const axisTensor = tf.scalar(axis, "int32");
      const attributes = [
        { name: "batch_dims", type: TF_ATTR_INT, value: batchDims },
        { name: "Tparams", type: TF_ATTR_TYPE, value: native.getDTypeInteger(x.dtype) },
        { name: "Tindices", type: TF_ATTR_TYPE, value: native.getDTypeInteger(indices.dtype) },
        { name: "Taxis", type: TF_ATTR_TYPE, value: TF_INT32 },
      ];
      const output = native.executeSingleOutput("GatherV2", attributes, [x, indices, axisTensor]);
      axisTensor.dispose();
      return output;
    },
  });
}
