import type { tf } from "../../../sdk/index.js";
import { resnet, resnet18 } from "../../models/resnet.js";
import type { Device } from "./machine.js";

/** A network with the batch it is timed on. */
export interface Network {
  readonly id: string;
  /** What the command line of every worker says: ours and the peers build the network of this name themselves. */
  readonly name: string;
  readonly batch: number;
  /** Height and width of the image, which has three channels. */
  readonly image: number;
  readonly classes: number;
}

const SMALL = { image: 32, classes: 10 } as const;
const SMALL_BATCH = 64;

const LARGE = { image: 224, classes: 1000 } as const;

/** The rows of the table. A graphics processor is timed on batches that fill it. */
export const NETWORKS: Readonly<Record<Device, readonly Network[]>> = {
  cpu: [
    { id: "resnet20", name: "resnet20", batch: SMALL_BATCH, ...SMALL },
    { id: "resnet18", name: "resnet18", batch: 8, ...LARGE },
  ],
  gpu: [
    { id: "resnet20", name: "resnet20", batch: 128, ...SMALL },
    { id: "resnet18", name: "resnet18", batch: 128, ...LARGE },
  ],
};

/** ResNets of 6n + 2 layers for small images, for the curves over batch size and depth. */
export const small = (depth: number, batch: number = SMALL_BATCH): Network => ({
  id: `resnet${depth}-batch${batch}`,
  name: `resnet${depth}`,
  batch,
  ...SMALL,
});

export const title = ({ name, batch, image }: Network): string =>
  `${name.replace("resnet", "ResNet")}, ${image}x${image}, batch ${batch}`;

/** The network by its name; `resnet18` is the one for large images. */
export function build({ name, image, classes }: Network): tf.LayersModel {
  const inputShape = [image, image, 3] as const;
  if (name === "resnet18") return resnet18({ inputShape, classes });
  const depth = Number(/^resnet(\d+)$/.exec(name)?.[1]);
  if (!((depth - 2) % 6 === 0)) throw new Error(`Expected resnet18 or resnet(6n + 2), received ${name}.`);
  return resnet({ inputShape, classes, blocksPerGroup: (depth - 2) / 6 });
}

/** The command line that tells a worker its network. */
export const argumentsOf = ({ name, batch, image, classes }: Network): string[] =>
  Object.entries({ name, batch, image, classes }).flatMap(([key, value]) => [`--${key}`, String(value)]);
