import { access, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { type Data, models, pretrain, type tf } from "../../sdk/index.js";
import type { RecipeOptions } from "../../sdk/options.js";
import { alexnet } from "./alexnet.js";
import { mobileNetV2 } from "./mobileNetV2.js";
import { resnet8, resnet14, resnet18, resnet20, resnet56 } from "./resnet.js";
import { vggSmall } from "./vggSmall.js";

const NETWORKS = {
  ...{ alexnet, mobileNetV2, resnet8, resnet14, resnet18, resnet20, resnet56, vggSmall },
} as const;

export type NetworkName = keyof typeof NETWORKS;

/** @throws Error for a name that is none of a network */
export function networkOf(name: string): NetworkName {
  if (Object.hasOwn(NETWORKS, name)) return name as NetworkName;
  throw new Error(`Expected one of ${Object.keys(NETWORKS).join(", ")}, received "${name}".`);
}

/** A floating-point start that every method of a comparison shares. */
export interface FloatingOptions {
  readonly seed: number;
  readonly epochs?: number;
  readonly batchSize?: number;
  readonly learningRate?: number;
  readonly recipe?: RecipeOptions;
  /** Where trained networks are kept, by name, seed and epochs. */
  readonly directory: string;
}

type Images = Data & { readonly train: { readonly shape: readonly number[]; readonly classes: number } };

/** Trains the network of that name on `data`, or loads it where it was trained before with the same options. */
export async function floatingNetwork(
  name: NetworkName,
  data: Images & { readonly name: string },
  { seed, epochs = 5, directory, ...training }: FloatingOptions,
): Promise<tf.LayersModel> {
  const [height, width, channels] = data.train.shape as [number, number, number];
  const size = height === 28 || height === 32 ? "" : `-${height}x${width}`;
  const folder = join(directory, `${name}-${data.name}${size}-seed${seed}-epochs${epochs}`);
  const complete = join(folder, "complete");
  if (await exists(complete)) return models.load(join(folder, "model.json"));
  const model = NETWORKS[name]({ inputShape: [height, width, channels], classes: data.train.classes, seed });
  const { history, validation } = await pretrain(model, data, {
    ...{ epochs, seed, ...training },
    checkpoint: join(directory, "checkpoints"),
  });
  await models.save(model, folder);
  await writeFile(complete, `${JSON.stringify({ seconds: history.seconds, validation })}\n`);
  return model;
}

const exists = (path: string): Promise<boolean> =>
  access(path).then(
    () => true,
    () => false,
  );
