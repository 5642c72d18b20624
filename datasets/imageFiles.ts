import { kMaxLength } from "node:buffer";
import { readFile } from "node:fs/promises";
import * as tf from "@tensorflow/tfjs";
import type { TensorMap } from "../sdk/engine/engine.js";
import { engine } from "../sdk/engine/index.js";
import { elements, type FileImages } from "../sdk/engine/pipeline.js";
import { AutoqnnError } from "../sdk/errors.js";
import { badFile } from "./badFile.js";
import type { Images, LabelledImages } from "./images.js";

export interface Labelled {
  readonly path: string;
  readonly label: number;
}

type Shape = Images["shape"];

/** The shape of the image in a file, as it will be given. Throws AutoqnnError `bad-file` saying what is wrong with the file. */
type ShapeOf = (path: string) => Promise<Shape>;

/** Images decoded at a time where they are kept. */
const AT_ONCE = 32;

/** The operation of tfjs's node backend that decodes: PNG and still GIF files too, in spite of its name. */
interface Backend {
  decodeJpeg(
    contents: Uint8Array,
    channels: number,
    ratio: number,
    fancyUpscaling: boolean,
    tryRecoverTruncated: boolean,
    acceptableFraction: number,
    dctMethod: string,
  ): tf.Tensor3D;
}

/** How the files begin that are decoded. */
const BEGINNINGS = ["ffd8ff", "89504e470d0a1a0a", "474946"];

type Size = readonly [height: number, width: number];

/** Height and width. Throws AutoqnnError `bad-option` for what are none, `engine` where there is no engine that decodes. */
export async function checkedSize(size: number | Size): Promise<Size> {
  const target = typeof size === "number" ? ([size, size] as const) : size;
  if (!(Array.isArray(target) && target.every((pixels) => Number.isInteger(pixels) && pixels > 0))) {
    const message = `Expected a size of whole pixels, 1 or more, received ${target?.join(" x ")}.`;
    throw new AutoqnnError("bad-option", message, "Give { size: 96 } or { size: [64, 96] }.");
  }
  await decodingEngine();
  return target;
}

async function decodingEngine(): Promise<void> {
  if ((await engine()).name === "native") return;
  const message = "Expected the native engine to decode images, received the reference engine.";
  throw new AutoqnnError("engine", message, "Unset AUTOQNN_ENGINE; autoqnn doctor tells what is missing.");
}

/** Reads one file at a time, with care to say what is wrong with it: the first one, and any in a batch that fails. */
export async function fileShape({
  size,
  channels = 3,
}: {
  readonly size?: number | Size;
  readonly channels?: 1 | 3;
}): Promise<ShapeOf> {
  const target = size === undefined ? undefined : await checkedSize(size);
  await decodingEngine();
  const backend = tf.backend() as unknown as Backend;
  return async (path) => {
    const bytes = await readFile(path).catch((cause: unknown) => {
      throw badFile(path, 0, "a readable image", "none", "Check the file and its permissions.", cause);
    });
    const head = bytes.subarray(0, 8).toString("hex");
    if (!BEGINNINGS.some((beginning) => head.startsWith(beginning))) {
      const hint = "Convert or remove the file.";
      throw badFile(path, 0, "a JPEG or PNG image", head || "an empty file", hint);
    }
    try {
      const [height, width] = tf.tidy(() => backend.decodeJpeg(bytes, channels, 1, true, false, 1, "").shape);
      return [...(target ?? [height, width]), channels] as Shape;
    } catch (cause) {
      const reason = cause instanceof Error ? cause.message : String(cause);
      const hint = "Replace or remove the file.";
      throw badFile(path, bytes.length, "an undamaged image", `"${reason}"`, hint, cause);
    }
  };
}

/** The images of files, which the engine reads when it needs them. */
export function imagesOf(
  list: readonly Labelled[],
  { shape, fit }: Pick<FileImages, "shape" | "fit">,
  shapeOf: ShapeOf,
): LabelledImages {
  const diagnose = async (samples: Uint32Array): Promise<void> => {
    for (const sample of samples) {
      const { path } = list[sample]!;
      const received = await shapeOf(path);
      if (received.join() === shape.join()) continue;
      const [all, one] = [shape.join(" x "), received.join(" x ")];
      const hint = "Give a size, to which all are stretched.";
      throw badFile(path, 0, `an image of ${all}, as the others`, one, hint);
    }
  };
  return {
    shape,
    files: list.map(({ path }) => path),
    fit,
    labels: Uint16Array.from(list, ({ label }) => label),
    diagnose,
  };
}

/** The same images as bytes. */
export async function inOneBlock(images: LabelledImages): Promise<Images> {
  const { shape, labels, files = [] } = images;
  const size = elements(shape);
  if (labels.length * size > kMaxLength) {
    const received = `${labels.length} images of ${shape.join(" x ")}`;
    const hint = "Give a smaller size, or leave out inMemory.";
    throw badFile(files[0]!, 0, `at most ${kMaxLength} bytes of pixels`, received, hint);
  }
  const pixels = new Uint8Array(labels.length * size);
  const order = Int32Array.from(labels, (_, sample) => sample);
  const body = ({ image }: TensorMap): TensorMap => ({ image: image! });
  const pipeline = { images, order, rows: {}, batchSize: AT_ONCE, body };
  let decoded = 0;
  try {
    for await (const { image } of (await engine()).batches("decoding", pipeline)) {
      pixels.set(image!.dataSync(), decoded * size);
      decoded += image!.shape[0]!;
      image!.dispose();
    }
  } catch (error) {
    await images.diagnose?.(Uint32Array.from(order.subarray(decoded, decoded + AT_ONCE)));
    throw error;
  }
  return { shape, pixels, labels };
}
