import { parseArgs } from "node:util";
import { openAddon } from "../../sdk/engine/native/addon.js";
import { device } from "../../sdk/engine/native/place.mjs";
import { engine } from "../../sdk/index.js";
import { Stepper } from "../../sdk/train/stepper.js";
import { NETWORKS as BY_DEVICE, title } from "./speed/networks.js";
import { randomBatch, stageOf, stepsOf } from "./speed/stages.js";

const HELP = `Where the time of a training step goes, by type of TensorFlow operation.

  npx tsx reproduce/bench/profile.ts [--network resnet20|resnet18] [--methods fp32,one-scheme,qss] [--steps 20] [--rows 16]

The methods are ours of \`npm run bench\`, on the same batch. Milliseconds are the time within the operations of a type, per
step, summed over the threads that run operations side by side; so they add up to more than the step takes.
`;

const { values: options } = parseArgs({
  options: {
    network: { type: "string", default: "resnet20" },
    methods: { type: "string", default: "fp32,one-scheme,qss" },
    steps: { type: "string", default: "20" },
    rows: { type: "string", default: "16" },
    help: { type: "boolean", default: false },
  },
});

const NETWORKS = BY_DEVICE[device() ?? "cpu"];

/** Of an operation's name in TensorFlow's profile, "node:Type" and perhaps "#attributes#"; its own parts have "::". */
const TYPE = /(?<!:):([A-Za-z_0-9]+)(?:#|$)/;

interface Profile {
  readonly step: number;
  /** Milliseconds a step, and calls a step, by type. */
  readonly operations: ReadonlyMap<string, { readonly milliseconds: number; readonly calls: number }>;
}

async function profile(method: string): Promise<Profile> {
  const network = NETWORKS.find(({ id }) => id === options.network);
  if (!network) {
    throw new Error(
      `Expected one of ${NETWORKS.map(({ id }) => id).join(", ")}, received ${options.network}.`,
    );
  }
  const { x, y } = randomBatch(network);
  const { stage } = await stageOf(method, network, await engine(), { x, y });
  const stepper = new Stepper(stage);
  const step = stepsOf(stepper, { x, y });
  for (let i = 0; i < 5; i++) await step();
  const steps = Number(options.steps);
  const addon = openAddon();
  addon.startProfile();
  const begun = performance.now();
  for (let i = 0; i < steps; i++) await step();
  const took = performance.now() - begun;
  const operations = new Map<string, { milliseconds: number; calls: number }>();
  for (const { name, start, end } of addon.stopProfile()) {
    const type = TYPE.exec(name)?.[1];
    if (type === undefined) continue;
    const { milliseconds, calls } = operations.get(type) ?? { milliseconds: 0, calls: 0 };
    operations.set(type, { milliseconds: milliseconds + (end - start) / steps, calls: calls + 1 / steps });
  }
  stepper.dispose();
  return { step: took / steps, operations };
}

if (options.help) process.stdout.write(HELP);
else {
  const methods = options.methods.split(",");
  const profiles: Profile[] = [];
  for (const method of methods) profiles.push(await profile(method));
  const network = NETWORKS.find(({ id }) => id === options.network)!;
  const total = (type: string): number =>
    profiles.reduce((sum, { operations }) => sum + (operations.get(type)?.milliseconds ?? 0), 0);
  const types = [...new Set(profiles.flatMap(({ operations }) => [...operations.keys()]))]
    .sort((a, b) => total(b) - total(a))
    .slice(0, Number(options.rows));
  const line = (cells: readonly string[]): string => `| ${cells.join(" | ")} |`;
  const cell = ({ operations }: Profile, type: string): string => {
    const found = operations.get(type);
    return found ? `${found.milliseconds.toFixed(2)} (${Math.round(found.calls)})` : "";
  };
  console.log(`${title(network)}: milliseconds a step (operations a step)\n`);
  console.log(line(["operation", ...methods]));
  console.log(line(["---", ...methods.map(() => "---:")]));
  console.log(line(["the whole step", ...profiles.map(({ step }) => step.toFixed(1))]));
  for (const type of types) console.log(line([type, ...profiles.map((found) => cell(found, type))]));
}
