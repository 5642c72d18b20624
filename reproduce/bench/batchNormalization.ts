import { parseArgs } from "node:util";
import {
  autoqnn,
  datasets,
  engine,
  type GenerateOptions,
  type QuantizedModel,
  type Score,
  score,
  tf,
} from "../../sdk/index.js";
import { floatingNetwork } from "../models/floating.js";

const HELP = `What becomes of batch normalization, measured on ResNet8 and Fashion-MNIST: accuracy and loss on the test images of a
network quantized without training, of one whose schemes and bitwidths were found but that was not fine-tuned, and of one
after the whole chain; then the bytes that folding saves, and the time of a prediction.

  npx tsx reproduce/bench/batchNormalization.ts [--seeds 3] [--epochs 1] [--out out]

--epochs is the length of the fine-tune. Prints Markdown.
`;

const WAYS = ["keep", "reestimate", "fold"] as const;
type Way = (typeof WAYS)[number];

/** Anything that ends in an artifact. */
interface Plan {
  generate(options?: GenerateOptions): Promise<QuantizedModel>;
}

const { values: options } = parseArgs({
  options: {
    seeds: { type: "string", default: "3" },
    epochs: { type: "string", default: "1" },
    out: { type: "string", default: "out" },
    help: { type: "boolean", default: false },
  },
});

async function main(): Promise<void> {
  if (options.help) return void process.stdout.write(HELP);
  await engine();
  const data = await datasets.fashionMnist();
  const scores = new Map<string, Score[]>();
  const note = (row: string, result: Score): void =>
    void scores.set(row, [...(scores.get(row) ?? []), result]);
  let last: Record<Way, QuantizedModel> | undefined;
  for (let seed = 0; seed < Number(options.seeds); seed++) {
    const model = await floatingNetwork("resnet8", data, { seed, directory: options.out });
    note("FP32 | keep", await score(model, data.test));
    const rounded = (bits: number): Plan => autoqnn(model, { data, seed, pin: { "*": { bits } } });
    const learned = await autoqnn(model, { data, seed }).searchSchemes().learnPrecision().run();
    const plans: Readonly<Record<string, Plan>> = {
      "rounded to W8A8": rounded(8),
      "rounded to W4A4": rounded(4),
      "rounded to W2A2": rounded(2),
      "schemes and bitwidths found, 2 bits": learned,
      "the whole chain, 2 bits": await learned.fineTune({ epochs: Number(options.epochs) }).run(),
    };
    for (const [name, plan] of Object.entries(plans)) {
      const made = await every(plan);
      for (const way of WAYS) note(`${name} | ${way}`, await made[way].evaluate(data.test));
      last = made;
    }
  }
  console.log(
    "| network | batch normalization | test accuracy, % | by seed | loss, nat |\n|---|---|---|---|---|",
  );
  for (const [row, results] of scores) {
    const accuracies = results.map(({ accuracy }) => 100 * accuracy);
    const loss = mean(results.map((result) => result.loss));
    const seeds = accuracies.map((value) => value.toFixed(2)).join(", ");
    console.log(`| ${row} | ${mean(accuracies).toFixed(2)} | ${seeds} | ${loss.toFixed(4)} |`);
  }
  if (last) costs(last);
}

async function every(plan: Plan): Promise<Record<Way, QuantizedModel>> {
  const made: Partial<Record<Way, QuantizedModel>> = {};
  for (const way of WAYS) made[way] = await plan.generate({ batchNormalization: way });
  return made as Record<Way, QuantizedModel>;
}

/** Bytes on disk, and milliseconds of a prediction: the median of turns, in which both take part alternately. */
function costs({ keep, fold }: Record<Way, QuantizedModel>): void {
  const models = { keep, fold };
  const sizes = [1, 100];
  const times = new Map<string, number[]>();
  for (let turn = 0; turn < 60; turn++) {
    for (const n of sizes) {
      const x = tf.randomUniform([n, 28, 28, 1]);
      for (const [name, model] of Object.entries(models)) {
        const started = performance.now();
        const y = model.predict(x);
        y.dataSync();
        // The first turns warm up.
        if (turn >= 10)
          times.set(`${name} ${n}`, [...(times.get(`${name} ${n}`) ?? []), performance.now() - started]);
        y.dispose();
      }
      x.dispose();
    }
  }
  console.log(
    `\n| batch normalization | weight codes, B | floating, B | ${sizes.map((n) => `batch of ${n}, ms`).join(" | ")} |\n|---|---|---|---|---|`,
  );
  for (const [name, { sizes: own }] of Object.entries(models)) {
    const columns = sizes.map((n) => median(times.get(`${name} ${n}`)!).toFixed(2)).join(" | ");
    console.log(`| ${name} | ${own.packedBytes} | ${own.floatingBytes} | ${columns} |`);
  }
}

const mean = (values: readonly number[]): number =>
  values.reduce((sum, value) => sum + value, 0) / values.length;

const median = (values: readonly number[]): number =>
  values.toSorted((a, b) => a - b)[Math.floor(values.length / 2)]!;

await main();
