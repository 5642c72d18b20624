import * as tf from "@tensorflow/tfjs";
import { stream } from "../../sdk/train/random.js";

type Symbolic = tf.SymbolicTensor;
const l = tf.layers;

/**
 * A functional model drawn from a seed: one or two inputs, branches and merges, layers and nested models that are called
 * again, weights without activations between them and activations behind activations, one to three outputs, of which one
 * may also be read by others. Every tensor is a vector of 2 to 6 values or a picture of 4 x 4 and 1 to 3 channels.
 */
export function randomModel(seed: number): tf.LayersModel {
  const draw = stream(seed, "model");
  const below = (n: number): number => Math.floor(draw() * n);
  const pick = <T>(list: readonly T[]): T => list[below(list.length)]!;
  let made = 0;
  const name = (kind: string): string => `m${seed}_${kind}${made++}`;

  const images = draw() < 0.5;
  const shape = images ? [4, 4, 1 + below(3)] : [2 + below(5)];
  const inputs = Array.from({ length: 1 + below(2) }, () => tf.input({ shape, name: name("x") }));
  const tensors: Symbolic[] = [...inputs];
  const shared = new Map<string, tf.layers.Layer[]>();
  const width = (x: Symbolic): number => x.shape.at(-1)!;

  const computing = (units: number): tf.layers.Layer =>
    images
      ? l.conv2d({
          name: name("conv"),
          filters: units,
          kernelSize: 1 + below(3),
          padding: "same",
          useBias: draw() < 0.5,
        })
      : l.dense({ name: name("dense"), units, useBias: draw() < 0.5 });
  const passing = (): tf.layers.Layer =>
    pick([
      () => l.reLU({ name: name("relu") }),
      () => l.activation({ name: name("tanh"), activation: "tanh" }),
      () => l.batchNormalization({ name: name("norm") }),
      () => l.dropout({ name: name("drop"), rate: 0.5 }),
    ])();
  const block = (x: Symbolic): tf.LayersModel => {
    const input = tf.input({ shape: x.shape.slice(1), name: name("bx") });
    const inner = computing(width(x)).apply(passing().apply(input)) as Symbolic;
    const outputs =
      draw() < 0.3
        ? [inner, passing().apply(inner) as Symbolic]
        : [l.add({ name: name("badd") }).apply([inner, input]) as Symbolic];
    return tf.model({ name: name("block"), inputs: input, outputs });
  };
  const layerFor = (x: Symbolic): tf.layers.Layer => {
    const key = String(x.shape);
    const known = shared.get(key) ?? [];
    if (known.length > 0 && draw() < 0.25) return pick(known);
    const kind = draw();
    const layer = kind < 0.5 ? computing(1 + below(3)) : kind < 0.8 ? passing() : block(x);
    shared.set(key, [...known, layer]);
    return layer;
  };
  const grow = (): Symbolic[] => {
    const x = pick(tensors.slice(-6));
    const alike = tensors.filter((t) => String(t.shape) === String(x.shape));
    if (alike.length > 1 && draw() < 0.3) {
      const others = alike.filter((t) => t !== x).slice(-2);
      const merge = draw() < 0.7 ? l.add({ name: name("add") }) : l.concatenate({ name: name("cat") });
      return [merge.apply([x, ...others]) as Symbolic];
    }
    return [layerFor(x).apply(x)].flat() as Symbolic[];
  };
  for (let n = 6 + below(14); n > 0; n--) tensors.push(...grow());
  const outputs = [tensors.at(-1)!];
  while (outputs.length < 3 && draw() < 0.4) outputs.push(pick(tensors.slice(inputs.length)));
  return tf.model({ name: name("model"), inputs, outputs: [...new Set(outputs)] });
}
