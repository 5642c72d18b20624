import type * as tf from "@tensorflow/tfjs";
import { Group } from "h5wasm";
import { badModel } from "../badModel.js";
import type { Bytes } from "./bytes.js";
import { type Hdf5, names, withHdf5 } from "./hdf5.js";
import { isSeed, type ModelFile, parse } from "./modelFile.js";
import { assign, type Entry, match, type Pairs, refuseLeftovers, slots } from "./slots.js";

/** A whole model in one HDF5 file: the topology in an attribute, the weights by layer. */
export async function h5(bytes: Bytes, location: string): Promise<ModelFile> {
  const read = await withHdf5(bytes, location, (file) => {
    const root = file.at("");
    const text = root?.attrs.model_config?.value;
    if (typeof text === "string") {
      return { topology: parse(Buffer.from(text), `model_config of ${location}`), elements: file.elements() };
    }
    const hint = 'Save the whole model, model.save("model.h5"), not its weights alone.';
    throw badModel("the attribute model_config", "a file without it", location, hint);
  });
  const fill = (model: tf.LayersModel): Promise<void> =>
    withHdf5(bytes, location, (file) => assign(pairs(model, file, location), location));
  return { ...read, fill };
}

const ROOT = "model_weights";

function pairs(model: tf.LayersModel, file: Hdf5, location: string): Pairs {
  const weights = file.at(ROOT);
  if (!(weights instanceof Group)) throw badModel(ROOT, "none", location, "Save the whole model.");
  const layers = new Set(model.layers.map(({ name }) => name));
  const entriesOf = (layer: string): readonly Entry[] => {
    const group = file.at(`${ROOT}/${layer}`);
    if (!(group instanceof Group)) return [];
    return names(group, "weight_names")
      .filter((weight) => !isSeed(weight))
      .map((weight) => {
        const entry = file.entry(`${ROOT}/${layer}/${weight}`, weight);
        if (entry) return entry;
        const where = `layer "${layer}" of ${location}`;
        throw badModel(`the tensor "${weight}"`, "none", where, "Save the model again.");
      });
  };
  const strangers = [...names(weights, "layer_names"), "top_level_model_weights"];
  const surplus = strangers.filter((name) => !layers.has(name)).flatMap(entriesOf);
  refuseLeftovers(
    [],
    surplus.map(({ name }) => name),
    location,
  );
  // Keras pairs a layer's tensors by their order alone. Names go first here, for orders may differ between versions.
  const found = model.layers.flatMap((layer) => [
    ...match(
      slots(layer, [layer.name]),
      entriesOf(layer.name),
      ["trail", "owner", "order"],
      `layer "${layer.name}" of ${location}`,
    ),
  ]);
  return new Map(found);
}
