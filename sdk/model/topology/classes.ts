import * as tf from "@tensorflow/tfjs";
import { badModel } from "../badModel.js";
import { isContainer, type LayerConfig } from "../config.js";
import { LAYERS } from "../layers/index.js";
import { REFUSED } from "../layers/refused.js";
import { isStock } from "../layers/stock.js";
import type { Signature } from "./binding.js";

/**
 * The name under which the class of `layer` is registered: the program's own class, under the name that Keras registered
 * ("package>Name") or the plain one; else ours or tfjs's, for a layer of Keras alone. A foreign class of the same name is
 * not the same layer.
 *
 * @throws AutoqnnError `bad-model` naming the layer, when there is no such class, and for a Lambda layer.
 */
export function classNameOf(layer: LayerConfig, where: string): string {
  const { class_name: name, registered_name: registered, module } = layer;
  if (name === "Lambda") {
    throw badModel("layers without code of their own", "a Lambda layer", where, REFUSED[name]!);
  }
  const own = [registered, name].find((each) => typeof each === "string" && isLayer(each) && !isStock(each));
  if (own !== undefined) return own as string;
  const foreign =
    typeof module === "string"
      ? /\.ops(\.|$)/.test(module) || !/^(tf_)?keras(\.|$)|^tensorflow\./.test(module)
      : typeof registered === "string" && registered.includes(">");
  if (!foreign && Object.hasOwn(REFUSED, name)) {
    throw badModel("a layer that can be computed here", name, where, REFUSED[name]!);
  }
  if (!foreign && (Object.hasOwn(LAYERS, name) || isLayer(name))) return name;
  throw badModel(
    "a layer class that tfjs has",
    foreign ? (typeof module === "string" ? `${module}.${name}` : String(registered)) : name,
    where,
    Array.isArray(layer.config.layers)
      ? "Save keras.Model(model.inputs, model.outputs), whose class is no subclass."
      : "Build the model from tfjs's own layers, or register the class with tf.serialization.registerClass().",
  );
}

/** What the class of `layer` says of its calls. */
export function signatureOf(layer: LayerConfig, where: string): Signature {
  if (isContainer(layer)) return { tensorArguments: ["inputs", "mask"] };
  const name = classNameOf(layer, where);
  return ((isStock(name) ? LAYERS[name] : undefined) ?? registry()[name]![0]) as Signature;
}

function registry(): Readonly<Record<string, readonly [unknown, unknown]>> {
  return tf.serialization.SerializationMap.getMap().classNameMap;
}

/** Initializers, optimizers and others are registered among the layers. */
function isLayer(name: string): boolean {
  const kind = Object.hasOwn(registry(), name) ? registry()[name]![0] : undefined;
  return typeof kind === "function" && kind.prototype instanceof tf.layers.Layer;
}
