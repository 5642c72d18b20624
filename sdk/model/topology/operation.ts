import { badModel } from "../badModel.js";
import { isConfig, type LayerConfig, show } from "../config.js";
import { KERAS3 } from "../operations/keras3.js";
import { type Arguments, readOptions, tensorsIn } from "./calls.js";

/** Whether `layer` is a call of one function: `tf.concat` in Keras 2, `keras.ops.concatenate` in Keras 3. */
export function isOperation(layer: LayerConfig): boolean {
  return ["TFOpLambda", "SlicingOpLambda"].includes(layer.class_name) || functionOf(layer) !== undefined;
}

/**
 * The layer of class Operation that computes a call of `layer`, an operation. Its options: `dialect` and `function` name
 * the function among those of its writer, `arguments` is what it is called with, as JSON. The two stand under a key `name`
 * since tfjs changes the case of all other strings.
 *
 * @throws AutoqnnError `bad-model` when the writer has left the tensors out.
 */
export function operationOf(layer: LayerConfig, name: string, given: Arguments, where: string): LayerConfig {
  const { config } = layer;
  const called = functionOf(layer);
  const { name: _, ...options } = config;
  // Keras 3 makes an operation with options, then calls it.
  const keyword = called === undefined ? {} : readOptions(options, where);
  const all = { positional: given.positional, keyword: { ...keyword, ...given.keyword } };
  const tensors = [...all.positional, ...Object.values(all.keyword)].flatMap(tensorsIn);
  if (tensors.length === 0) {
    const hint =
      "Keras 2 saves the first argument and those by name: pass the tensors first, or build a layer.";
    throw badModel("an operation on at least one tensor", show(given), where, hint);
  }
  return {
    class_name: "Operation",
    config: {
      name,
      trainable: config.trainable ?? true,
      dtype: "float32",
      dialect: called === undefined ? "tf" : "keras3",
      function: { name: called ?? String(config.function) },
      arguments: { name: JSON.stringify(withoutName(all)) },
    },
  };
}

/** "numpy.Add": what Keras 3 calls the operation, out of its module "keras.src.ops.numpy" or "keras.ops.numpy". */
function functionOf({ class_name, module, config, inbound_nodes }: LayerConfig): string | undefined {
  if (typeof module === "string") {
    const found = /^keras(?:\.src)?\.ops\.(.+)$/.exec(module)?.[1];
    return found && `${found}.${class_name}`;
  }
  // Into .h5 files Keras 3 writes no module. A layer says whether it is trainable and of which type, an operation does not.
  const bare = isConfig(inbound_nodes?.[0]) && !("trainable" in config || "dtype" in config);
  return bare ? Object.keys(KERAS3).find((name) => name.endsWith(`.${class_name}`)) : undefined;
}

function withoutName({ positional, keyword: { name: _, ...keyword } }: Arguments): Arguments {
  return { positional, keyword };
}
