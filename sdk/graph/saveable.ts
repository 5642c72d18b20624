import * as tf from "@tensorflow/tfjs";
import { AutoqnnError } from "../errors.js";
import { isBuiltIn } from "../model/layers/builtIn.js";
import { isContainer, type Layer, partsOf } from "./layers.js";

type LayerClass = tf.serialization.SerializableConstructor<Layer>;

/**
 * Makes sure that layers of classes that are not built in can be written into a file and made anew from it: registered, and
 * with a configuration that makes a layer with the same weights. What such a layer holds inside it makes itself.
 *
 * @throws AutoqnnError `bad-model` naming the first layer that cannot.
 */
export function checkSaveable(model: tf.LayersModel): void {
  const seen = new Set<Layer>();
  const visit = (layer: Layer): void => {
    if (seen.has(layer)) return;
    seen.add(layer);
    if (isBuiltIn(layer) || isContainer(layer)) for (const part of partsOf(layer)) visit(part);
    else checkLayer(layer, layer.constructor as unknown as LayerClass);
  };
  visit(model);
}

function checkLayer(layer: Layer, kind: LayerClass): void {
  if (layer instanceof tf.LayersModel) {
    throw unsaveable(
      layer,
      "models that are graphs of layers",
      `class ${kind.name} with a call of its own`,
      "Make it a layer: a class that extends tf.layers.Layer, and holds its layers.",
    );
  }
  const registered: unknown = tf.serialization.SerializationMap.getMap().classNameMap[kind.className]?.[0];
  if (!Object.hasOwn(kind, "className") || registered !== kind) {
    throw unsaveable(
      layer,
      `a class that is registered`,
      `${kind.name}, which is not`,
      `Give ${kind.name} a static className of its own, and call tf.serialization.registerClass(${kind.name}).`,
    );
  }
  const hint = `Let getConfig of ${kind.name} return all that its constructor takes, as JSON.`;
  const own = shapesOf(layer);
  let made: string;
  try {
    made = shapesOf(again(layer, kind));
  } catch (cause) {
    const reason = cause instanceof Error ? cause.message : String(cause);
    throw unsaveable(layer, "a configuration that makes it anew", `"${reason}"`, hint, cause);
  }
  if (made !== own) throw unsaveable(layer, `a configuration that makes weights ${own}`, made, hint);
}

/** A layer made and built from the configuration of another, its weights disposed. */
function again(layer: Layer, kind: LayerClass): Layer {
  const fresh = kind.fromConfig(kind, JSON.parse(JSON.stringify(layer.getConfig())));
  const shapes = (layer.inboundNodes[0]?.inputShapes ?? []) as tf.Shape[];
  if (shapes.length > 0 && !fresh.built) fresh.build(shapes.length === 1 ? shapes[0]! : shapes);
  for (const weight of fresh.weights) weight.dispose();
  return fresh;
}

function shapesOf({ weights }: Layer): string {
  return weights.map(({ shape }) => `[${shape}]`).join(" and ") || "none";
}

function unsaveable(
  { name }: Layer,
  expected: string,
  received: string,
  hint: string,
  cause?: unknown,
): AutoqnnError {
  return new AutoqnnError(
    "bad-model",
    `Expected ${expected}, since results are to be saved, received ${received} at layer "${name}".`,
    hint,
    cause === undefined ? {} : { cause },
  );
}
