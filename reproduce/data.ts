import { existsSync, readdirSync } from "node:fs";
import { datasets } from "../sdk/index.js";

type Dataset = Awaited<ReturnType<typeof datasets.fashionMnist>>;

export type DataName = "fashion-mnist" | "cifar" | "imagenet";

/** Where data lies that is not shipped, and to which size images are cut. */
export interface Places {
  /** The binary version of CIFAR-10 or CIFAR-100. */
  readonly cifar?: string;
  /** ImageNet, as folders of images by class or as TFRecords. */
  readonly imagenet?: string;
  readonly imageSize: number;
}

/** The first images of each split, `images` at most. */
export const fewer = ({ name, train, validation, test }: Dataset, images = Number.POSITIVE_INFINITY) => ({
  name,
  train: train.take(Math.min(images, train.size)),
  validation: validation.take(Math.min(images, validation.size)),
  test: test.take(Math.min(images, test.size)),
});

/**
 * Reads a data set; of images on disk only their names.
 *
 * @throws Error that says which option is missing where the data is not shipped
 */
export async function dataOf(name: DataName, places: Places): Promise<Dataset> {
  if (name === "fashion-mnist") return datasets.fashionMnist();
  const place = places[name];
  if (place === undefined || !existsSync(place)) {
    throw new Error(
      `Expected the folder of ${name}, received ${place ? `"${place}", which does not exist` : "none"}. Give it by --${name} FOLDER, or take --scale small, which needs none.`,
    );
  }
  if (name === "cifar") return datasets.cifar(place);
  const options = { size: places.imageSize, fit: "crop" } as const;
  const records = readdirSync(place).some((file) => /-\d{5}-of-\d{5}/.test(file));
  return records ? datasets.tfRecords(place, options) : datasets.imageFolder(place, options);
}
