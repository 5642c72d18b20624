import * as tf from "@tensorflow/tfjs";
import { elements, type FileImages, type Images, type RecordImages } from "../pipeline.js";
import type { Addon, Attribute, HostValues, Metadata } from "./addon.js";
import type { NativeBackend } from "./backend.js";
import type { Held, Mapping } from "./tfdata.js";

/** What is added before an image is cut to bytes: the number below a half, so that a half rounds up and nothing else. */
const HALF = 0.5 - 2 ** -25;

/**
 * The tensors of images on the host: their bytes; or the paths of their files; or the paths, and each record's file and
 * offset. They are made once and deleted after their `Images` object has been collected; a pass under way holds them by itself.
 */
export class ImageTensors {
  private readonly tensors = new WeakMap<Images, readonly Held[]>();
  private readonly collected: FinalizationRegistry<readonly Held[]>;

  constructor(private readonly addon: Addon) {
    this.collected = new FinalizationRegistry((held) => {
      for (const { id } of held) addon.deleteTensor(id);
    });
  }

  of(images: Images): readonly Held[] {
    const known = this.tensors.get(images);
    if (known !== undefined) return known;
    const made = this.made(images);
    this.tensors.set(images, made);
    this.collected.register(images, made);
    return made;
  }

  private made(images: Images): readonly Held[] {
    const { addon } = this;
    const held = (dtype: number, shape: readonly number[], values: HostValues): Held => ({
      id: addon.createTensor(shape, dtype, values, true),
      dtype,
      shape,
    });
    if (images.files === undefined) {
      const count = images.pixels.length / elements(images.shape);
      return [held(addon.TF_UINT8, [count, ...images.shape], images.pixels)];
    }
    const paths = images.files.map((path) => Buffer.from(path));
    const files = held(addon.TF_STRING, [paths.length], paths);
    if (images.records === undefined) return [files];
    const { file, offset } = images.records;
    const halves = new Int32Array(offset.buffer, offset.byteOffset, 2 * offset.length);
    return [files, held(addon.TF_INT32, [file.length], file), held(addon.TF_INT64, [offset.length], halves)];
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
 * A function that reads and decodes one image, the one of an index, and brings it to a shape as `fit` says; where that is to
 * crop, its second argument is the window. Of a record it gives the class beside.
 *
 * @param held the tensors of these images
 */
export function decoding(
  addon: Addon,
  held: readonly Held[],
  { shape, fit, records }: Pick<FileImages | RecordImages, "shape" | "fit" | "records">,
): Mapping {
  const { TF_ATTR_BOOL, TF_ATTR_INT, TF_ATTR_SHAPE, TF_ATTR_STRING, TF_ATTR_TYPE } = addon;
  const { TF_FLOAT, TF_INT32, TF_UINT8 } = addon;
  const graph = new addon.Graph();
  const [height, width, channels] = shape;
  const index = graph.placeholder(TF_INT32, []);
  const window = fit === "crop" ? [graph.placeholder(TF_INT32, [4])] : [];
  const [files, ...places] = held.map((tensor) => graph.placeholder(tensor.dtype, tensor.shape)) as [
    Metadata,
    ...Metadata[],
  ];
  const all = (
    type: string,
    inputs: readonly number[],
    attributes: Record<string, [number, unknown]> = {},
    outputs = 1,
  ) => {
    const list = Object.entries(attributes).map(([name, [kind, value]]) => ({ name, type: kind, value }));
    return graph.operation(type, list, inputs, outputs, "").map(({ id }) => id);
  };
  const apply = (...what: Parameters<typeof all>): number => all(...what)[0]!;
  const type = (dtype: number): [number, number] => [TF_ATTR_TYPE, dtype];
  const int = (value: number): [number, number] => [TF_ATTR_INT, value];
  const axis = graph.constant([], TF_INT32, Int32Array.of(0)).id;
  const pick = (from: Metadata, at: number): number =>
    graph.operation("GatherV2", pickAttributes(addon, from.dtype), [from.id, at, axis], 1, "")[0]!.id;
  let file: number;
  const beside: number[] = [];
  if (records === undefined) file = apply("ReadFile", [pick(files, index.id)]);
  else {
    const [shards, offsets] = places as [Metadata, Metadata];
    const record = [pick(files, pick(shards, index.id)), pick(offsets, index.id)];
    const features = {
      image_feature: [TF_ATTR_STRING, records.image],
      label_feature: [TF_ATTR_STRING, records.label],
      first: int(records.first),
      classes: int(records.classes),
    } satisfies Record<string, [number, unknown]>;
    const [image, label] = all("AutoqnnRecord", record, features, 2);
    file = image!;
    beside.push(label!);
  }
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
  const inputs = [index, ...window, files, ...places].map(({ id }) => id);
  return {
    function: graph.finish("decode_image", inputs, [checked, ...beside], false),
    outputs: [{ dtype: TF_UINT8, shape }, ...beside.map(() => ({ dtype: TF_INT32, shape: [] }))],
    constants: held,
  };
}
