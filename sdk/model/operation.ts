import { badModel } from "./badModel.js";
import { type Arguments, readOptions, tensorsIn } from "./calls.js";
import { type LayerConfig, show } from "./config.js";

/** Whether `layer` is a call of one function: `tf.concat` in Keras 2, `keras.ops.concatenate` in Keras 3. */
export function isOperation({ class_name, module }: LayerConfig): boolean {
  return ["TFOpLambda", "SlicingOpLambda"].includes(class_name) || moduleOf(module) !== undefined;
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
  const module = moduleOf(layer.module);
  const { name: _, ...options } = config;
  // Keras 3 makes an operation with options, then calls it.
  const keyword = module === undefined ? {} : readOptions(options, where);
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
      dialect: module === undefined ? "tf" : "keras3",
      function: { name: module === undefined ? String(config.function) : `${module}.${layer.class_name}` },
      arguments: { name: JSON.stringify(withoutName(all)) },
    },
  };
}

/** "numpy" of "keras.src.ops.numpy" and "keras.ops.numpy". */
function moduleOf(module: unknown): string | undefined {
  return typeof module === "string" ? /^keras(?:\.src)?\.ops\.(.+)$/.exec(module)?.[1] : undefined;
}

function withoutName({ positional, keyword: { name: _, ...keyword } }: Arguments): Arguments {
  return { positional, keyword };
}
