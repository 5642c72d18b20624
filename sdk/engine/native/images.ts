import * as tf from "@tensorflow/tfjs";
import { elements, type FileImages, type Images } from "../pipeline.js";
import type { Addon, Attribute } from "./addon.js";
import type { NativeBackend } from "./backend.js";
import type { Held, Mapping } from "./tfdata.js";

/** What is added before an image is cut to bytes: the number below a half, so that a half rounds up and nothing else. */
const HALF = 0.5 - 2 ** -25;

/**
 * The tensors of images on the host: their bytes, or the paths of their files. Each is made once and deleted after its
 * `Images` object has been collected; a pass under way holds it by itself.
 */
export class ImageTensors {
  private readonly tensors = new WeakMap<Images, Held>();
  private readonly collected: FinalizationRegistry<number>;

  constructor(private readonly addon: Addon) {
    this.collected = new FinalizationRegistry((id) => addon.deleteTensor(id));
  }

  of(images: Images): Held {
    const known = this.tensors.get(images);
    if (known !== undefined) return known;
    const made = this.made(images);
    this.tensors.set(images, made);
    this.collected.register(images, made.id);
    return made;
  }

  private made(images: Images): Held {
    const { addon } = this;
    if (images.files !== undefined) {
      const paths = images.files.map((path) => Buffer.from(path));
      const [dtype, shape] = [addon.TF_STRING, [paths.length]];
      return { id: addon.createTensor(shape, dtype, paths, true), dtype, shape };
    }
    const [dtype, shape] = [addon.TF_UINT8, [images.pixels.length / elements(images.shape), ...images.shape]];
    return { id: addon.createTensor(shape, dtype, images.pixels, true), dtype, shape };
  }
}

/** The images of `indices` out of a tensor of bytes, as an operation of a body. */
export function picked(backend: NativeBackend, bytes: tf.Tensor, indices: tf.Tensor): tf.Tensor {
  const axis = tf.scalar(0, "int32");
  const attributes = pickAttributes(backend.addon, backend.addon.TF_UINT8);
  return backend.executeSingleOutput("GatherV2", attributes, [bytes, indices, axis]);
}

function pickAttributes({ TF_ATTR_TYPE: type, TF_INT32 }: Addon, dtype: number): Attribute[] {
  return [
    { name: "Tparams", type, value: dtype },
    { name: "Tindices", type, value: TF_INT32 },
    { name: "Taxis", type, value: TF_INT32 },
  ];
}

/**
 * A function that reads and decodes one file, the one of an index, and brings it to a shape as `fit` says; where that is to
 * crop, its second argument is the window.
 */
export function decoding(
  addon: Addon,
  paths: Held,
  { shape, fit }: Pick<FileImages, "shape" | "fit">,
): Mapping {
  const { TF_ATTR_BOOL, TF_ATTR_INT, TF_ATTR_SHAPE, TF_ATTR_TYPE, TF_FLOAT, TF_INT32, TF_UINT8 } = addon;
  const graph = new addon.Graph();
  const [height, width, channels] = shape;
  const index = graph.placeholder(TF_INT32, []);
  const window = fit === "crop" ? [graph.placeholder(TF_INT32, [4])] : [];
  const files = graph.placeholder(paths.dtype, paths.shape);
  const apply = (
    type: string,
    inputs: readonly number[],
    attributes: Record<string, [number, unknown]> = {},
  ) => {
    const list = Object.entries(attributes).map(([name, [kind, value]]) => ({ name, type: kind, value }));
    return graph.operation(type, list, inputs, 1, "")[0]!.id;
  };
  const type = (dtype: number): [number, number] => [TF_ATTR_TYPE, dtype];
  const axis = graph.constant([], TF_INT32, Int32Array.of(0)).id;
  const picking = pickAttributes(addon, paths.dtype);
  const path = graph.operation("GatherV2", picking, [files.id, index.id, axis], 1, "")[0]!.id;
  const file = apply("ReadFile", [path]);
  const int = (value: number): [number, number] => [TF_ATTR_INT, value];
  // DecodeJpeg decodes PNG and still GIF files too, in spite of its name.
  let image =
    fit === "crop"
      ? apply("AutoqnnView", [file, window[0]!.id], {
          height: int(height),
          width: int(width),
          channels: int(channels),
        })
      : apply("DecodeJpeg", [file], { channels: int(channels) });
  if (fit === "stretch") {
    const size = graph.constant([2], TF_INT32, Int32Array.of(height, width)).id;
    const half = graph.constant([], TF_FLOAT, Float32Array.of(HALF)).id;
    const batch = apply("ExpandDims", [image, axis], { T: type(TF_UINT8), Tdim: type(TF_INT32) });
    const stretched = apply("ResizeBilinear", [batch, size], {
      T: type(TF_UINT8),
      half_pixel_centers: [TF_ATTR_BOOL, true],
    });
    const squeezed = apply("Squeeze", [stretched], { T: type(TF_FLOAT), squeeze_dims: [TF_ATTR_INT, [0]] });
    const raised = apply("AddV2", [squeezed, half], { T: type(TF_FLOAT) });
    image = apply("Cast", [raised], { SrcT: type(TF_FLOAT), DstT: type(TF_UINT8) });
  }
  const checked = apply("EnsureShape", [image], { T: type(TF_UINT8), shape: [TF_ATTR_SHAPE, shape] });
  return {
    function: graph.finish(
      "decode_image",
      [index.id, ...window.map(({ id }) => id), files.id],
      [checked],
      false,
    ),
    outputs: [{ dtype: TF_UINT8, shape }],
    constants: [paths],
  };
}
