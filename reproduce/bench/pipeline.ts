import { rmSync, writeFileSync } from "node:fs";
import { parseArgs } from "node:util";
import { engine } from "../../sdk/index.js";
import { asMarkdown, type Table, table } from "../../sdk/table.js";
import { IMAGENET, photographs } from "./pipeline/photographs.js";
import { launchOf, ROWS, type Row, WORK } from "./pipeline/rows.js";
import { type Outcome, takeTurns } from "./pipeline/turns.js";
import { quantile } from "./speed/interleave.js";
import { threads, watchMachine } from "./speed/machine.js";

const HELP = `Times how batches are made of JPEG files: by ours, by Python's tf.data, by torchvision, turn by turn in one run.

  npx tsx reproduce/bench/pipeline.ts [--rounds 9] [--images 768] [--rows NAME,...] [--out FILE]

rows: ${ROWS.map(({ id }) => id).join(", ")}

A folder of photographs of ImageNet's size is made first. Everybody makes batches of 64 out of it: decoding, windows of random
size and proportions brought to 224 x 224, flips, numbers from 0 to 1 in float32. Each line is the median over rounds of passes
over the folder. The peers' Python environments are made in the user's cache where they are not there yet (6 GB). The table
is printed, and written to --out.
`;

const { values: options } = parseArgs({
  options: {
    rounds: { type: "string", default: "9" },
    images: { type: "string", default: "768" },
    rows: { type: "string" },
    out: { type: "string" },
    help: { type: "boolean", default: false },
  },
});

const [BATCH, SIZE] = [64, 224];

async function main(): Promise<void> {
  if (options.help) return void process.stdout.write(HELP);
  const rows = options.rows?.split(",").map(rowOf) ?? ROWS;
  const [rounds, images] = [Number(options.rounds), Number(options.images)];
  await engine();
  const { folder, bytes } = photographs(images, IMAGENET);
  try {
    const seen = watchMachine();
    const task = { folder, batch: BATCH, size: SIZE, threads };
    const jobs = rows.map((row) => ({ id: row.id, launch: () => launchOf(row, task, say) }));
    const outcomes = await takeTurns(jobs, rounds, say);
    const machine = seen();
    const [height, width] = IMAGENET.size;
    const versions = Object.assign(
      {},
      ...Object.values(outcomes).map((one) => ("versions" in one ? one.versions : {})),
    );
    const text = [
      `Batches of ${BATCH} of ${SIZE} x ${SIZE}, out of ${images} JPEGs of ${height} x ${width} (${(bytes / 1000).toFixed(0)} KB each), the median of ${rounds} rounds,`,
      `by \`${["npx tsx reproduce/bench/pipeline.ts", ...process.argv.slice(2)].join(" ")}\` on ${machine.cores} cores of an ${machine.processor}, load ${machine.load.toFixed(1)} before.`,
      `${Object.entries(versions)
        .map((pair) => pair.join(" "))
        .join(", ")}.`,
      "",
      asMarkdown(tableOf(rows, outcomes, images - (images % BATCH))),
      "",
      "Processor: images per second of all processors together that the process and all that it started took. Ratio: ours to the best peer, by processor time, the median over the rounds.",
    ].join("\n");
    console.log(text);
    if (options.out) writeFileSync(options.out, `${text}\n`);
  } finally {
    rmSync(folder, { recursive: true });
  }
}

function rowOf(id: string): Row {
  const row = ROWS.find((one) => one.id === id);
  if (row) return row;
  throw new Error(`Expected --rows among ${ROWS.map((one) => one.id).join(", ")}, received ${id}.`);
}

function tableOf(rows: readonly Row[], outcomes: Readonly<Record<string, Outcome>>, images: number): Table {
  const rate = (seconds: readonly number[]): number => images / quantile(seconds, 0.5);
  const processor = ({ id }: Row): number | undefined => {
    const outcome = outcomes[id]!;
    return "processor" in outcome ? rate(outcome.processor) : undefined;
  };
  return table(rows, [
    { title: "work", value: ({ work }) => WORK[work] },
    { title: "by", value: ({ title }) => title },
    { title: "processor", unit: "images/s", digits: 0, value: processor },
    {
      title: "quartiles",
      value: ({ id }) => {
        const outcome = outcomes[id]!;
        if (!("processor" in outcome)) return `not run: ${outcome.notRun}`;
        return [0.75, 0.25].map((q) => (images / quantile(outcome.processor, q)).toFixed(0)).join(" to ");
      },
    },
    {
      title: "wall",
      unit: "images/s",
      digits: 0,
      value: ({ id }) => {
        const outcome = outcomes[id]!;
        return "wall" in outcome ? rate(outcome.wall) : undefined;
      },
    },
    {
      title: "ratio",
      digits: 2,
      value: (row) => {
        if (row.title !== "ours") return undefined;
        const peers = rows.filter(({ work, peer }) => peer && work === row.work).map(processor);
        const best = Math.max(...peers.map((value) => value ?? 0));
        const own = processor(row);
        return best > 0 && own !== undefined ? own / best : undefined;
      },
    },
  ]);
}

const say = (line: string): void => void process.stderr.write(`${line}\n`);

await main();
