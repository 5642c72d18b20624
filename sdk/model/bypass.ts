import {
  type Config,
  isConfig,
  isContainer,
  type LayerConfig,
  layerConfig,
  layersOf,
  nameOf,
} from "./config.js";

/** A layer of a topology that is not itself a graph of layers. */
export interface Leaf {
  readonly className: string;
  readonly config: Config;
  /** Path of the model it is in; "" for the outermost. */
  readonly container: string;
}

/** All leaves of a topology as `topologyOf` writes it, by path: the layer's name behind those of the models it is in. */
export function leavesOf(topology: Config): ReadonlyMap<string, Leaf> {
  const leaves = new Map<string, Leaf>();
  const visit = (model: LayerConfig, prefix: string): void => {
    for (const layer of layersOf(model, nameOf(model))) {
      const path = prefix + nameOf(layer);
      if (isContainer(layer)) visit(layer, `${path}/`);
      else
        leaves.set(path, {
          className: layer.class_name,
          config: layer.config,
          container: prefix.slice(0, -1),
        });
    }
  };
  visit(layerConfig(topology, "topology"), "");
  return leaves;
}

/**
 * The topology without the leaves at the paths `removed`, each of which takes one tensor a call: whoever read what they
 * made reads what they took. Layers at the paths in `options` get these options instead of their own of the same names.
 *
 * A layer and the one it reads from must be in the same model; the first layer of a Sequential cannot be removed.
 */
export function bypassed(
  topology: Config,
  removed: ReadonlySet<string>,
  options: ReadonlyMap<string, Config>,
): Config {
  const rewrite = (model: LayerConfig, prefix: string): LayerConfig => {
    const layers = layersOf(model, nameOf(model));
    const gone = new Map(layers.map((layer) => [nameOf(layer), layer]));
    for (const name of gone.keys()) if (!removed.has(prefix + name)) gone.delete(name);
    const kept = layers
      .filter((layer) => !gone.has(nameOf(layer)))
      .map((layer): LayerConfig => {
        const path = prefix + nameOf(layer);
        const inner = isContainer(layer) ? rewrite(layer, `${path}/`) : layer;
        const config = { ...inner.config, ...options.get(path) };
        const nodes = layer.inbound_nodes?.map((node) => rewired(node, gone));
        return { ...inner, config, ...(nodes && { inbound_nodes: nodes }) };
      });
    const ends = model.config.output_layers;
    const outputs = Array.isArray(ends) ? { output_layers: rewired(ends, gone) } : {};
    return { ...model, config: { ...model.config, layers: kept, ...outputs } };
  };
  return { ...rewrite(layerConfig(topology, "topology"), "") };
}

/** References [layer, call, output, ...] to layers that are gone, as references to what these took. */
function rewired(references: unknown, gone: ReadonlyMap<string, LayerConfig>): unknown {
  if (!Array.isArray(references)) return references;
  return references.map((reference: unknown) => {
    let current = reference;
    for (;;) {
      if (!Array.isArray(current)) return current;
      const [name, call, , ...rest] = current as unknown[];
      const node = gone.get(String(name))?.inbound_nodes?.[Number(call)];
      if (!Array.isArray(node)) return current;
      const [layer, at, output] = node[0] as unknown[];
      current = [layer, at, output, ...rest.filter(isConfig)];
    }
  });
}
