import { mkdtemp, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { parseArgs } from "node:util";
import { quantizedGraph } from "../../sdk/graph/graph.js";
import { engine, models } from "../../sdk/index.js";

const HELP = `Times the import and the conversion of models by their number of layers.

  npx tsx reproduce/bench/import.ts [--layers 250,500,1000,2000,4000] [--rounds 3]

Dense layers of 8 units, as Keras 2 JSON: in a row; in a functional chain with a sum after each; and in that chain, its
layers listed from last to first. "file" is the first chain as tfjs saves it, weights included. Medians of the rounds, after
one that does not count.
`;

const { values: options } = parseArgs({
  options: {
    layers: { type: "string", default: "250,500,1000,2000,4000" },
    rounds: { type: "string", default: "3" },
    help: { type: "boolean", default: false },
  },
});

type Json = Record<string, unknown>;

const UNITS = 8;

function layer(class_name: string, name: string, config: Json, ...from: string[]): Json {
  const inbound_nodes = from.length > 0 ? [from.map((each) => [each, 0, 0, {}])] : [];
  return { class_name, name, config: { name, ...config }, inbound_nodes };
}

function row(count: number): Json {
  const shape = { batch_input_shape: [null, UNITS] };
  const layers = Array.from({ length: count }, (_, i) =>
    layer("Dense", `dense_${i}`, { units: UNITS, ...(i === 0 && shape) }),
  );
  return { class_name: "Sequential", config: { name: "row", layers } };
}

function skips(count: number, reversed = false): Json {
  const layers = [layer("InputLayer", "input", { batch_input_shape: [null, UNITS] })];
  let last = "input";
  for (let i = 0; layers.length < count; i++) {
    layers.push(layer("Dense", `dense_${i}`, { units: UNITS }, last));
    layers.push(layer("Add", `add_${i}`, {}, last, `dense_${i}`));
    last = `add_${i}`;
  }
  const config = {
    name: "skips",
    layers: reversed ? layers.reverse() : layers,
    input_layers: [["input", 0, 0]],
    output_layers: [[last, 0, 0]],
  };
  return { class_name: "Functional", config };
}

interface Times {
  readonly imported: number;
  readonly converted: number;
}

async function timed(path: string): Promise<Times> {
  const start = performance.now();
  const model = await models.load(path);
  const loaded = performance.now();
  quantizedGraph(model);
  const converted = performance.now();
  model.dispose();
  return { imported: loaded - start, converted: converted - loaded };
}

function median(values: readonly number[]): number {
  return [...values].sort((a, b) => a - b)[Math.floor(values.length / 2)]!;
}

async function main(): Promise<void> {
  if (options.help) return void process.stdout.write(HELP);
  await engine();
  const directory = await mkdtemp(join(tmpdir(), "autoqnn-import-"));
  const write = async (name: string, topology: Json): Promise<string> => {
    const path = join(directory, `${name}.json`);
    await writeFile(path, JSON.stringify(topology));
    return path;
  };
  try {
    console.log("layers  model     import ms  convert ms");
    for (const count of options.layers.split(",").map(Number)) {
      const saved = join(directory, `saved-${count}`);
      const chain = await write("skips", skips(count));
      await models.save(await models.load(chain), saved);
      const paths = {
        row: await write("row", row(count)),
        skips: chain,
        reversed: await write("reversed", skips(count, true)),
        file: saved,
      };
      for (const [name, path] of Object.entries(paths)) {
        const rounds: Times[] = [];
        for (let i = 0; i <= Number(options.rounds); i++) rounds.push(await timed(path));
        const columns = (["imported", "converted"] as const).map((key) =>
          median(rounds.slice(1).map((each) => each[key])).toFixed(0),
        );
        console.log(
          `${String(count).padStart(6)}  ${name.padEnd(8)}${columns[0]!.padStart(11)}${columns[1]!.padStart(12)}`,
        );
      }
    }
  } finally {
    await rm(directory, { recursive: true });
  }
}

await main();
