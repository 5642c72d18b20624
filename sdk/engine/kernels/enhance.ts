import type { Tensor, TensorInfo } from "@tensorflow/tfjs";
import { AutoqnnError } from "../../errors.js";
import { type NativeBackend, operation } from "./native-operation.js";

/** Bytes of images to bytes, each image through operations of its own. */
export const ENHANCE_KERNEL = "AutoqnnEnhance";

/** The operations in the order of their numbers in the native kernel; "identity", 0, leaves an image as it is. */
export const ENHANCEMENTS = [
  "identity",
  "brightness",
  "contrast",
  "color",
  "sharpness",
  "hue",
  "autoContrast",
  "equalize",
  "solarize",
  "posterize",
  "shearX",
  "shearY",
  "translateX",
  "translateY",
  "rotate",
] as const;

export type Enhancement = (typeof ENHANCEMENTS)[number];

interface Call {
  inputs: { images: TensorInfo; operations: TensorInfo };
  backend: NativeBackend;
}

export const enhanceKernels = [
  {
    kernelName: ENHANCE_KERNEL,
    backendName: "cpu",
    kernelFunc(): never {
      throw new AutoqnnError(
        "engine",
        "Expected the native engine for colour jitter and RandAugment, received the reference engine.",
        "Unset AUTOQNN_ENGINE, or leave out augment.jitter and augment.randAugment.",
      );
    },
  },
  {
    kernelName: ENHANCE_KERNEL,
    backendName: "tensorflow",
    kernelFunc: ({ inputs: { images, operations }, backend }: Call): Tensor =>
      operation({ backend, type: ENHANCE_KERNEL, inputs: [images, operations], outputs: 1 })[0]!,
  },
];
