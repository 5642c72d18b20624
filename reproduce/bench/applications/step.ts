import { mkdtemp, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { performance } from "node:perf_hooks";
import { autoqnn, models, tf } from "../../../sdk/index.js";

/**
 * Edges of images at which the applications are stepped: as small as each takes. At 32, EfficientNet's last channels are one
 * value per image, and its gradients grow towards the input, probably by its 49 batch normalizations, each of which may
 * multiply them by up to 1 / sqrt(epsilon), here 32. Keras's own have a length of 6e7 at the first kernel, with 2 images; in a
 * search at two bits they overflowed where powers of two were among the candidates of inputs, and not in the sets without.
 */
export const EDGES: Readonly<Record<string, number>> = {
  ConvNeXtTiny: 32,
  DenseNet121: 32,
  EfficientNetB0: 64,
  InceptionV3: 75,
  MobileNet: 32,
  MobileNetV2: 32,
  MobileNetV3Small: 64,
  NASNetMobile: 32,
  RegNetX002: 32,
  ResNet50: 32,
  VGG16: 32,
  Xception: 71,
};

/** What one step of each stage gave and took, with all that stands around it: calibration, tracing, rounding. */
export interface Stepped {
  readonly seconds: { readonly load: number; readonly search: number; readonly learn: number };
  readonly losses: { readonly search: number; readonly learn: number };
}

const BATCH = 2;

/** Loads a topology for images of this edge, with fresh weights, and takes one step of QSS and one of QPL. */
export async function stepOf(topology: unknown, edge: number): Promise<Stepped> {
  const begun = performance.now();
  const model = await loaded(resized(topology, edge));
  const ready = performance.now();
  const x = tf.randomUniform([BATCH, edge, edge, 3], 0, 255, "float32", 1);
  const data = { train: [{ x, y: tf.range(0, BATCH, 1, "int32") as tf.Tensor1D }] };
  const quiet = { steps: 1, onProgress: () => {} };
  const plan = autoqnn(model, { data, batchSize: BATCH });
  const searched = await plan.searchSchemes({ ...quiet, control: false }).run();
  const found = performance.now();
  // One step leaves all bitwidths nearly equal, so that how a tight budget rounds them would say nothing.
  const budget = { averageBits: 8 };
  const learned = await searched.learnPrecision({ ...quiet, roundings: ["gamma 1"], budget }).run();
  const done = performance.now();
  tf.dispose(data.train.flatMap(({ x, y }) => [x, y as tf.Tensor]));
  model.dispose();
  return {
    seconds: { load: (ready - begun) / 1e3, search: (found - ready) / 1e3, learn: (done - found) / 1e3 },
    losses: { search: searched.history.loss[0]!, learn: learned.history.loss[0]! },
  };
}

/**
 * The same topology for other images: the shapes that it states, of inputs outside and inside, shrink alike. Its weights
 * will be the same in every run.
 */
function resized(topology: unknown, edge: number): string {
  let whole: number | undefined;
  let seed = 0;
  return JSON.stringify(topology, (key, value) => {
    if (key.endsWith("_initializer") && value && "seed" in value.config) {
      return { ...value, config: { ...value.config, seed: ++seed } };
    }
    if (key !== "batch_input_shape" || value.length !== 4) return value;
    const [batch, height, , channels] = value as [null, number | null, number | null, number];
    whole ??= height ?? edge;
    const own = height === null ? edge : Math.ceil((height * edge) / whole);
    return [batch, own, own, channels];
  });
}

async function loaded(json: string): Promise<tf.LayersModel> {
  const folder = await mkdtemp(join(tmpdir(), "autoqnn-applications-"));
  try {
    const file = join(folder, "model.json");
    await writeFile(file, json);
    return await models.load(file);
  } finally {
    await rm(folder, { recursive: true });
  }
}
