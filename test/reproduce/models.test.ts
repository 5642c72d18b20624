import { describe, expect, test } from "vitest";
import { alexnet } from "../../reproduce/models/alexnet.js";
import { mobileNetV2 } from "../../reproduce/models/mobileNetV2.js";
import { resnet8, resnet18, resnet20, resnet56 } from "../../reproduce/models/resnet.js";
import { vggSmall } from "../../reproduce/models/vggSmall.js";
import { totals } from "../../sdk/graph/totals.js";
import { quantizedGraph, type tf } from "../../sdk/index.js";

const LARGE = { inputShape: [224, 224, 3], classes: 1000 } as const;
const SMALL = { inputShape: [32, 32, 3], classes: 10 } as const;

/**
 * What the references state. torchvision 0.26 (its weights' `num_params` and `_ops`, in 10^9 multiply-accumulates):
 * ResNet18 11,689,512 and 1.814, MobileNetV2 3,504,872 and 0.301, AlexNet 61,100,840 and 0.714, here with 9,344 biases
 * replaced by twice as many values of batch normalization. ResNet20 and ResNet56 of He et al. (section 4.2) have
 * shortcuts without weights, 0.27 and 0.85 million values and 40.8 and 125.7 million operations; those of the projections,
 * 16 · 32 + 32 · 64 weights with batch normalization, come on top. VGG-Small (LQ-Nets, section 5): weights of each size of
 * image times its pixels.
 */
const REFERENCES: readonly {
  name: string;
  model: () => tf.LayersModel;
  convolutions: number;
  dense: number;
  trained: number;
  macs: number;
}[] = [
  {
    name: "ResNet18",
    model: () => resnet18(LARGE),
    ...{ convolutions: 17 + 3, dense: 1, trained: 11_689_512, macs: 1_814_073_344 },
  },
  {
    name: "MobileNetV2",
    model: () => mobileNetV2(LARGE),
    ...{ convolutions: 52, dense: 1, trained: 3_504_872, macs: 300_774_272 },
  },
  {
    name: "AlexNet",
    model: () => alexnet(LARGE),
    ...{ convolutions: 5, dense: 3, trained: 61_100_840 + 9_344, macs: 714_188_480 },
  },
  {
    name: "ResNet20",
    model: () => resnet20(SMALL),
    ...{ convolutions: 19 + 2, dense: 1, trained: 269_722 + 2_560 + 192, macs: 40_551_040 + 262_144 },
  },
  {
    name: "ResNet56",
    model: () => resnet56(SMALL),
    ...{ convolutions: 55 + 2, dense: 1, trained: 853_018 + 2_560 + 192, macs: 125_485_696 + 262_144 },
  },
  {
    name: "VGG-Small",
    model: () => vggSmall(SMALL),
    ...{
      convolutions: 6,
      dense: 1,
      trained: 4_660_106,
      macs: 3_456 * 1024 + 147_456 * 1024 + 884_736 * 256 + 3_538_944 * 64 + 81_920,
    },
  },
];

describe.each(REFERENCES)("$name", ({ model, convolutions, dense, trained, macs }) => {
  test("has the layers, the values and the multiply-accumulates of its reference", () => {
    const built = model();
    const count = (...classes: string[]) =>
      built.layers.filter((layer) => classes.includes(layer.getClassName())).length;
    expect(count("Conv2D", "DepthwiseConv2D")).toBe(convolutions);
    expect(count("Dense")).toBe(dense);
    const counted = totals(quantizedGraph(built));
    expect(counted.parameters.trainable).toBe(trained);
    expect(counted.macs).toBe(macs);
    built.dispose();
  });
});

test("MobileNetV2 takes small images with fewer halvings, and the same values", () => {
  const small = mobileNetV2({ ...SMALL, halvingsLeftOut: 2 });
  expect(small.layers.at(-3)?.outputShape).toEqual([null, 4, 4, 1280]);
  expect(totals(quantizedGraph(small)).parameters.trainable).toBe(3_504_872 - 990 * 1281);
});

test("weights follow from the seed", async () => {
  const [first, again, other] = [0, 0, 2].map((seed) =>
    resnet8({ inputShape: [28, 28, 1], classes: 10, seed }),
  );
  const values = (network: tf.LayersModel) => network.getWeights()[0]!.dataSync();
  expect(values(again!)).toEqual(values(first!));
  expect(values(other!)).not.toEqual(values(first!));
});
