import { badModel } from "./badModel.js";

/** A part of a topology as Keras and tfjs write it: snake_case JSON. */
export type Config = Readonly<Record<string, unknown>>;

export interface LayerConfig {
  readonly class_name: string;
  readonly config: Config;
  readonly name?: string;
  readonly module?: unknown;
  readonly registered_name?: unknown;
  readonly inbound_nodes?: readonly unknown[];
  readonly build_config?: unknown;
}

export function isConfig(value: unknown): value is Config {
  return typeof value === "object" && value !== null && !Array.isArray(value);
}

/** `value` as the configuration of a layer. Keras 1 gave a Sequential's layers alone, without a name. */
export function layerConfig(value: unknown, where: string): LayerConfig {
  if (isConfig(value) && typeof value.class_name === "string") {
    const config = Array.isArray(value.config) ? { layers: value.config } : value.config;
    if (isConfig(config)) {
      const name = value.name ?? config.name ?? "";
      if (typeof name === "string") return { ...value, class_name: value.class_name, config };
      throw badModel(
        "text as the name of a layer",
        show(name),
        where,
        "Save the model again with Keras or tfjs.",
      );
    }
  }
  throw badModel(
    "a layer as { class_name, config }",
    show(value),
    where,
    "Save the model again with Keras or tfjs.",
  );
}

export function layersOf({ config }: LayerConfig, where: string): readonly LayerConfig[] {
  if (Array.isArray(config.layers)) return config.layers.map((layer: unknown) => layerConfig(layer, where));
  throw badModel("a list of layers", show(config.layers), where, "Save the model again with Keras or tfjs.");
}

/**
 * The layers of a model, no two of one name.
 *
 * @throws AutoqnnError `bad-model`.
 */
export function distinctLayersOf(model: LayerConfig, where: string): readonly LayerConfig[] {
  const layers = layersOf(model, where);
  const seen = new Set<unknown>();
  for (const { name, config } of layers) {
    const own = name ?? config.name;
    if (own !== undefined && seen.has(own)) {
      throw badModel(
        "layers of different names",
        `"${own}" twice`,
        where,
        "Give each layer a name of its own.",
      );
    }
    seen.add(own);
  }
  return layers;
}

export function isContainer({ class_name }: LayerConfig): boolean {
  return ["Functional", "Model", "Sequential"].includes(class_name);
}

export function nameOf(layer: LayerConfig): string {
  return String(layer.name ?? layer.config.name ?? layer.class_name);
}

export function show(value: unknown, length = 120): string {
  return (JSON.stringify(value) ?? "nothing").slice(0, length);
}

/** `name` with the first number that makes it one that is not taken, which takes it. */
export function freeName(name: string, taken: Set<string>): string {
  let i = 1;
  while (taken.has(`${name}_${i}`)) i += 1;
  taken.add(`${name}_${i}`);
  return `${name}_${i}`;
}
