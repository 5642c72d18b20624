import * as tf from "@tensorflow/tfjs";

/** Bits where there is a quantizer: of a weight by the name of its variable, of an input by the name of its edge. */
export type BitsAt = (id: string) => number | undefined;

export interface Counted {
  /** Bits of all weights; the largest sum of activations held at one time; the sum of all that are ever held. */
  readonly weights: number;
  readonly peak: number;
  readonly sum: number;
  /** Per sample. */
  readonly operations: number;
}

/** A value that is made once per sample. */
interface Value {
  readonly elements: number;
  readonly entered: boolean;
  readonly readers: { readonly edge: string; readonly run: Run }[];
  returned: boolean;
}

interface Run {
  readonly layer: tf.layers.Layer;
  readonly path: string;
  readonly reads: readonly { readonly value: Value; readonly edge: string }[];
  readonly makes: readonly Value[];
}

const IN_PLACE = ["ReLU", "Activation", "BatchNormalization", "Dropout"];
const product = (shape: readonly (number | null)[]): number => shape.reduce<number>((n, d) => n * d!, 1);
const total = (numbers: readonly number[]): number => numbers.reduce((a, b) => a + b, 0);

/**
 * The costs of a model of dense, convolutional, merging and in-place layers, counted by going through it call after call
 * and keeping book of what is held, as an interpreter does that frees a value with its last read. Written apart from
 * `sdk/graph`, by the definitions in words.
 */
export function interpret(model: tf.LayersModel, bitsAt: BitsAt): Counted {
  const { runs, inputs } = record(model);
  const names = namesOfWeights(model, "");
  const weights = [...names].map(([{ shape }, name]) => product(shape) * (bitsAt(name) ?? 32));

  const held = new Map<object, { bits: number; left: number }>();
  let [peak, sum] = [0, 0];
  const hold = (key: object, bits: number, reads: number): void => {
    held.set(key, { bits, left: reads });
    sum += bits;
  };
  const begun = new Set<Value>();
  const begin = (value: Value): void => {
    if (begun.has(value)) return;
    begun.add(value);
    const { elements, entered, readers, returned } = value;
    const [only, another] = readers;
    const alone = only && !another && !returned && bitsAt(only.edge) === undefined;
    if (alone && IN_PLACE.includes(only.run.layer.getClassName())) {
      // Its values go through one by one; what they become is held instead.
      for (const made of only.run.makes) begin(made);
      return;
    }
    const plain = readers.filter(({ edge }) => bitsAt(edge) === undefined);
    for (const reader of readers.filter((each) => !plain.includes(each)))
      hold(reader, elements * bitsAt(reader.edge)!, 1);
    if (plain.length > 0 || returned || readers.length === 0)
      hold(value, elements * (entered ? 8 : 32), returned ? Number.POSITIVE_INFINITY : plain.length);
  };
  const read = (value: Value, edge: string): void => {
    const reader = value.readers.find((each) => each.edge === edge)!;
    const place = held.get(reader) ?? held.get(value);
    if (place) place.left--;
  };
  for (const value of inputs) begin(value);
  for (const { reads, makes } of runs) {
    for (const value of makes) begin(value);
    peak = Math.max(peak, total([...held.values()].map(({ bits }) => bits)));
    for (const { value, edge } of reads) read(value, edge);
    for (const [key, { left }] of held) if (left <= 0) held.delete(key);
  }

  const operations = runs.map(({ layer, reads, makes }) => {
    const kernel = layer.weights.find((variable) => names.get(variable)!.endsWith("/kernel"));
    if (!kernel) return 0;
    const { value, edge } = reads[0]!;
    const macs = (makes[0]!.elements / kernel.shape.at(-1)!) * product(kernel.shape);
    return macs * (bitsAt(names.get(kernel)!) ?? 32) * (bitsAt(edge) ?? (value.entered ? 8 : 32));
  });
  return { weights: total(weights), peak, sum, operations: total(operations) };
}

/** The calls in the order of execution: what a call needs is computed first, its last input before its first. */
function record(model: tf.LayersModel): { runs: Run[]; inputs: Value[] } {
  const runs: Run[] = [];
  const counters = new Map<string, number>();
  const value = ({ shape }: tf.SymbolicTensor, entered = false): Value => ({
    elements: product(shape.slice(1)),
    entered,
    readers: [],
    returned: false,
  });
  const through = (container: tf.LayersModel, given: readonly Value[], prefix: string): Value[] => {
    const known = new Map(container.inputs.map((tensor, i) => [tensor.id, given[i]!]));
    const need = (tensor: tf.SymbolicTensor): Value => {
      const found = known.get(tensor.id);
      if (found) return found;
      const layer = tensor.sourceLayer;
      for (const input of [...tensor.inputs].reverse()) need(input);
      const taken = tensor.inputs.map(need);
      const { outputTensors } = layer.inboundNodes[tensor.nodeIndex]!;
      const path = `${prefix}${layer.name}`;
      const made =
        layer instanceof tf.LayersModel
          ? through(layer, taken, `${path}/`)
          : outputTensors.map((each) => value(each));
      for (const [i, each] of outputTensors.entries()) known.set(each.id, made[i]!);
      if (!(layer instanceof tf.LayersModel)) {
        const reads = taken.map((each) => {
          const n = counters.get(path) ?? 0;
          counters.set(path, n + 1);
          return { value: each, edge: n === 0 ? `${path}/input` : `${path}/input:${n}` };
        });
        const run = { layer, path, reads, makes: made };
        runs.push(run);
        for (const { value: each, edge } of reads) each.readers.push({ edge, run });
      }
      return known.get(tensor.id)!;
    };
    return container.outputs.map(need);
  };
  const inputs = model.inputs.map((tensor) => value(tensor, true));
  for (const each of through(model, inputs, "")) each.returned = true;
  return { runs, inputs };
}

/** Every variable of every layer once, by its path. */
function namesOfWeights(model: tf.LayersModel, prefix: string): Map<tf.LayerVariable, string> {
  return new Map(
    model.layers.flatMap((layer) =>
      layer instanceof tf.LayersModel
        ? [...namesOfWeights(layer, `${prefix}${layer.name}/`)]
        : layer.weights.map((variable) => {
            const name = `${prefix}${layer.name}/${variable.originalName.split("/").at(-1)}`;
            return [variable, name] as [tf.LayerVariable, string];
          }),
    ),
  );
}
