import { execFile } from "node:child_process";
import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { parseArgs, promisify } from "node:util";
import {
  type AutoqnnOptions,
  autoqnn,
  datasets,
  engine,
  type GenerateOptions,
  models,
  quantizedGraph,
  tf,
} from "../../sdk/index.js";
import { leavesOf } from "../../sdk/model/bypass.js";
import { topologyOf } from "../../sdk/model/topology/topology.js";
import { all, NETWORKS, type TrainedNetwork, unpacked } from "../../test/model/nsfwjs.js";
import { PYTHON, pythonOf } from "./speed/environments.js";

const HELP = `How far a network in 8 bits is from itself in floating point when nothing is trained: the three trained networks of the
package nsfwjs, rounded by this project and by TensorFlow Lite, both with the same four pictures to calibrate on. Outputs are
compared on eight pictures, four of them those, and on the same pictures changed in five ways.

  npx tsx reproduce/bench/rounding.ts [--networks MobileNetV2,InceptionV3,graph] [--python FILE]

--python: a Python with tensorflow and tf_keras; without it the peers' pinned one is made (3 GB). Prints Markdown.
`;

const IMAGES = fileURLToPath(new URL("../../test/model/images", import.meta.url));
const LITE = fileURLToPath(new URL("rounding/lite.py", import.meta.url));

const OURS: Readonly<Record<string, [AutoqnnOptions, GenerateOptions]>> = {
  "ours, no option": [{}, {}],
  "ours, `fixed`, `perChannel`, `biasCorrection`": [
    { perChannel: true, pin: { "*": { scheme: "fixed", bits: 8 } } },
    { biasCorrection: true },
  ],
};

const LITES = { "per channel": "TensorFlow Lite", "per tensor": "TensorFlow Lite, one scale a tensor" };

/** The same pictures as others might come. */
const CHANGES: Readonly<Record<string, (x: tf.Tensor4D) => tf.Tensor>> = {
  "as they are": (x) => tf.clone(x),
  mirrored: (x) => tf.reverse(x, 2),
  "upside down": (x) => tf.reverse(x, 1),
  darker: (x) => tf.mul(x, 0.6),
  "the middle": (x) => {
    const size = x.shape[1];
    const edge = Math.floor(size / 8);
    const middle = tf.slice(x, [0, edge, edge, 0], [-1, size - 2 * edge, size - 2 * edge, -1]);
    return tf.image.resizeBilinear(middle, [size, size]);
  },
  "red and blue exchanged": (x) => tf.reverse(x, 3),
};

type Sets = Readonly<Record<string, tf.Tensor>>;

/** Outputs by set of pictures. */
type Outputs = Readonly<Record<string, number[][]>>;

const { values: options } = parseArgs({
  options: {
    networks: { type: "string", default: Object.keys(NETWORKS).join() },
    python: { type: "string" },
    help: { type: "boolean", default: false },
  },
});

async function main(): Promise<void> {
  if (options.help) return void process.stdout.write(HELP);
  await engine();
  const say = (line: string): void => void process.stderr.write(`${line}\n`);
  const python = options.python ?? (await pythonOf("tensorflow", say));
  const names = Object.keys(CHANGES);
  const lines = [
    `| network | rounded by | ${names.join(" | ")} | mean | top-1 as before |`,
    `|---|---|${"---:|".repeat(names.length + 2)}`,
  ];
  for (const name of options.networks.split(",").map(known)) {
    const folder = mkdtempSync(join(tmpdir(), "autoqnn-rounding-"));
    try {
      lines.push(...(await rows(name, folder, python)));
    } finally {
      rmSync(folder, { recursive: true });
    }
  }
  console.log(lines.join("\n"));
}

function known(name: string): TrainedNetwork {
  if (Object.hasOwn(NETWORKS, name)) return name as TrainedNetwork;
  throw new Error(`Expected some of ${Object.keys(NETWORKS).join(", ")} at --networks, received "${name}".`);
}

async function rows(name: TrainedNetwork, folder: string, python: string): Promise<string[]> {
  const model = await models.load(await unpacked(name, folder));
  const size = model.inputs[0]!.shape[1]!;
  const { train, test } = await datasets.imageFolder(IMAGES, { size });
  const calibration = await all(train);
  const pictures = tf.concat([await all(test), calibration]) as tf.Tensor4D;
  const sets = Object.fromEntries(Object.entries(CHANGES).map(([key, change]) => [key, change(pictures)]));
  const floating = outputsOf(model, sets);
  const row = (by: string, made: Outputs, reference: Outputs): string => {
    const errors = Object.keys(sets).map((key) => 100 * relativeError(made[key]!, reference[key]!));
    const cells = [...errors, mean(errors)].map((error) => error.toFixed(2));
    const pairs = Object.keys(sets).flatMap((key) => made[key]!.map((y, i) => [y, reference[key]![i]!]));
    const same = pairs.filter(([a, b]) => likeliest(a!) === likeliest(b!)).length;
    return `| ${name} | ${by} | ${cells.join(" | ")} | ${same} of ${pairs.length} |`;
  };
  const ours: string[] = [];
  for (const [by, [plan, given]] of Object.entries(OURS)) {
    const quantized = await autoqnn(model, { data: { train }, batchSize: 4, ...plan }).generate(given);
    ours.push(row(by, outputsOf(quantized, sets), floating));
  }
  writeNetwork(folder, model, sets, calibration);
  const { stdout } = await promisify(execFile)(python, [LITE, folder], {
    env: { ...process.env, ...PYTHON, TF_CPP_MIN_LOG_LEVEL: "3" },
    maxBuffer: 2 ** 28,
  });
  const outputs = JSON.parse(stdout.trim().split("\n").at(-1)!) as Readonly<
    Record<"floating" | keyof typeof LITES, Outputs>
  >;
  const apart = mean(Object.keys(sets).map((key) => relativeError(outputs.floating[key]!, floating[key]!)));
  if (apart > 1e-4)
    throw new Error(`Expected the peer's network to be ours, received outputs ${100 * apart} % off.`);
  const theirs = Object.entries(LITES).map(([way, by]) =>
    row(by, outputs[way as keyof typeof LITES], outputs.floating),
  );
  tf.dispose([calibration, pictures, sets]);
  model.dispose();
  return [...ours, ...theirs];
}

/** What `lite.py` reads. */
function writeNetwork(folder: string, model: tf.LayersModel, sets: Sets, calibration: tf.Tensor): void {
  const { calls, edges } = quantizedGraph(model);
  const leaves = leavesOf(topologyOf(model));
  const tensorOf = new Map(edges.map(({ id, tensor }) => [id, tensor]));
  const chunks: Uint8Array[] = [];
  let offset = 0;
  const place = (x: tf.Tensor): { shape: number[]; offset: number } => {
    const data = Float32Array.from(x.dataSync());
    chunks.push(new Uint8Array(data.buffer));
    offset += data.length;
    return { shape: x.shape, offset: offset - data.length };
  };
  const network = {
    shape: model.inputs[0]!.shape.slice(1),
    layers: calls.map(({ layer, inputs, outputs }) => {
      const { className, config } = leaves.get(layer)!;
      const weights = model.getLayer(layer).getWeights().map(place);
      const taken = inputs.map((id) => tensorOf.get(id));
      return { className, config, weights, inputs: taken, output: outputs[0] };
    }),
    sets: Object.fromEntries(Object.entries(sets).map(([key, x]) => [key, place(x)])),
    calibration: place(calibration),
  };
  writeFileSync(join(folder, "network.json"), JSON.stringify(network));
  writeFileSync(join(folder, "values.bin"), Buffer.concat(chunks));
}

function outputsOf(model: Pick<tf.LayersModel, "predict">, sets: Sets): Outputs {
  const run = (x: tf.Tensor): number[][] =>
    tf.tidy(() => (model.predict(x) as tf.Tensor2D).arraySync() as number[][]);
  return Object.fromEntries(Object.entries(sets).map(([key, x]) => [key, run(x)]));
}

/** |actual - expected| / |expected|, over all values together. */
function relativeError(actual: readonly number[][], expected: readonly number[][]): number {
  const [ours, theirs] = [actual.flat(), expected.flat()];
  return Math.hypot(...ours.map((y, i) => y - theirs[i]!)) / Math.hypot(...theirs);
}

const likeliest = (y: readonly number[]): number => y.indexOf(Math.max(...y));

const mean = (values: readonly number[]): number =>
  values.reduce((sum, value) => sum + value, 0) / values.length;

await main();
