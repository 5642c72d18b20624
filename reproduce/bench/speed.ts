import { mkdir, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { parseArgs } from "node:util";
import { drawing, page } from "../../sdk/report/page.js";
import { asHtml } from "../../sdk/table.js";
import { type Curves, costFigure, keyOf, PANELS } from "./speed/curves.js";
import { interleave, type Job, type Outcome, type Turns } from "./speed/interleave.js";
import { type Device, threads, watchMachine } from "./speed/machine.js";
import { launchOf, METHODS, type Method, methodsOn, type Setting } from "./speed/methods.js";
import { NETWORKS, type Network, title } from "./speed/networks.js";
import { notes, type Results, read, targetTable, text, timeTable, write } from "./speed/results.js";

const HELP = `Times one training step of ours and of its peers, turn by turn in one run.

  npm run bench -- [--device cpu|gpu] [--networks resnet20,resnet18] [--methods NAME,...] [--rounds 15] [--steps 8]
                   [--seconds 3] [--seed 0] [--python FILE] [--figure] [--results DIR] [--out DIR] [--print]

methods: ${METHODS.map(({ id }) => id).join(", ")}

Every method trains the same network on the same kind of batch: forward, backward, Adam; float32 (TF32 in the products of a
GPU), as many threads as there are cores. All are started first; then, in every round, each has a turn of up to --steps steps or --seconds seconds. The
peers' Python environments are made in the user's cache where they are not there yet (6 GB); they are for processors: on a GPU,
--python names a Python that has torch for it, and brevitas. Results are kept in --results (table.json, gpu.json), a page with tables and figure is written to --out.

--figure measures the curves instead, on the processor: our step against candidates, batch size and depth (figure.json).
--print only prints what is there.
`;

const { values: options } = parseArgs({
  options: {
    device: { type: "string", default: "cpu" },
    networks: { type: "string" },
    methods: { type: "string" },
    rounds: { type: "string", default: "15" },
    steps: { type: "string", default: "8" },
    seconds: { type: "string", default: "3" },
    seed: { type: "string", default: "0" },
    python: { type: "string" },
    figure: { type: "boolean", default: false },
    results: { type: "string", default: "reproduce/bench/results/speed" },
    out: { type: "string", default: "out" },
    print: { type: "boolean", default: false },
    help: { type: "boolean", default: false },
  },
});

const DEVICE = deviceNamed(options.device);
const SETTING: Setting = { device: DEVICE, threads, ...(options.python && { python: options.python }) };
const TABLE = join(options.results, DEVICE === "gpu" ? "gpu.json" : "table.json");
const FIGURE = join(options.results, "figure.json");

async function main(): Promise<void> {
  if (options.help) return void process.stdout.write(HELP);
  const turns: Turns = {
    rounds: count("rounds"),
    steps: count("steps"),
    seconds: count("seconds"),
    seed: Number(options.seed),
  };
  if (!options.print) {
    if (options.figure) await write(FIGURE, await curves(turns));
    else await write(TABLE, await results(turns));
  }
  const [table, figure] = [await read<Results>(TABLE), await read<Curves>(FIGURE)];
  if (table) console.log(text(table));
  const file = join(options.out, "speed.html");
  await mkdir(options.out, { recursive: true });
  await writeFile(file, html(table, figure));
  console.log(`\nPage: ${file}`);
}

async function results(turns: Turns): Promise<Results> {
  const seen = watchMachine(DEVICE);
  const networks: Record<string, Record<string, Outcome>> = {};
  const methods = chosen("methods", methodsOn(DEVICE));
  for (const network of chosen("networks", NETWORKS[DEVICE])) {
    const jobs = methods.map((method) => job(method.id, method, network));
    networks[network.id] = await interleave(jobs, turns, DEVICE, (line) => say(`${network.id}: ${line}`));
  }
  return { date: new Date().toISOString(), device: DEVICE, machine: seen(), turns, networks };
}

/** The panels one after the other; in each, everything that it compares. */
async function curves(turns: Turns): Promise<Curves> {
  const seen = watchMachine();
  const panels: Record<string, Record<string, Outcome>> = {};
  for (const panel of PANELS) {
    const points = panel.xs.flatMap((x) => panel.points(x));
    const jobs = new Map(
      points.map(({ method, network }) => {
        const key = keyOf(method, network);
        return [key, job(key, method, network)] as const;
      }),
    );
    panels[panel.id] = await interleave([...jobs.values()], turns, "cpu", (line) =>
      say(`${panel.id}: ${line}`),
    );
  }
  return { date: new Date().toISOString(), machine: seen(), turns, panels };
}

const job = (id: string, method: Method, network: Network): Job => ({
  id,
  launch: () => launchOf(method, network, SETTING, say),
});

function html(table: Results | undefined, figure: Curves | undefined): string {
  const section = (heading: string, body: string): string =>
    `<section><h2>${heading}</h2>\n${body}\n</section>`;
  const sections = [
    ...(table?.device === "cpu" ? [section("Figures", asHtml(targetTable(table)))] : []),
    ...NETWORKS[DEVICE].flatMap((network) => {
      const outcomes = table?.networks[network.id];
      return outcomes ? [section(title(network), asHtml(timeTable(outcomes)))] : [];
    }),
    ...(figure ? [section("Cost", drawing(costFigure(figure), 0))] : []),
  ];
  const run = table ?? figure;
  return page("Speed of a training step", run ? notes(run) : [], sections.join("\n"));
}

/** The rows that an option names, all where it is absent. */
function chosen<T extends { readonly id: string }>(option: "methods" | "networks", rows: readonly T[]): T[] {
  const names = options[option]?.split(",") ?? rows.map(({ id }) => id);
  return names.map((name) => {
    const row = rows.find(({ id }) => id === name);
    if (row) return row;
    throw new Error(`Expected --${option} among ${rows.map(({ id }) => id).join(", ")}, received ${name}.`);
  });
}

function count(option: "rounds" | "steps" | "seconds"): number {
  const value = Number(options[option]);
  if (value > 0 && (option === "seconds" || Number.isInteger(value))) return value;
  throw new Error(`Expected --${option} above 0, received ${options[option]}.`);
}

function deviceNamed(name: string): Device {
  if (name === "cpu" || name === "gpu") return name;
  throw new Error(`Expected --device cpu or gpu, received ${name}.`);
}

const say = (line: string): void => void process.stderr.write(`${line}\n`);

await main().catch((error: unknown) => {
  console.error(error instanceof Error && !process.env.AUTOQNN_DEBUG ? error.message : error);
  process.exitCode = 1;
});
