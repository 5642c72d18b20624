import { Command, InvalidArgumentError, Option } from "commander";
import { parseBudget } from "./budget.js";
import { doctor } from "./doctor.js";
import { evaluate } from "./evaluate.js";
import { inspect } from "./inspect.js";
import { kernelCommands } from "./kernel.js";
import { quantize } from "./quantize.js";
import { setup } from "./setup.js";
import { mergeStudy, parseShard, runStudy, showStudy, slurmStudy } from "./study.js";

const DATA =
  "fashion-mnist, or a directory of IDX files, of CIFAR's binary files, or of images in class folders";

/** The command line: names, arguments and options. What a command does is in the file of its name. */
export function commands(): Command {
  const program = new Command("autoqnn")
    .description("Give every layer of a trained network its own quantizing scheme and bitwidth.")
    .showHelpAfterError("(autoqnn COMMAND --help tells more)")
    .exitOverride();
  const add = (nameAndArguments: string, description: string): Command =>
    program.command(nameAndArguments).description(description).exitOverride();

  const quantizing = add(
    "quantize",
    "search schemes, learn bitwidths, fine-tune, and save the quantized network",
  )
    .argument("<model>", "a trained network: model.json, .h5 or .keras")
    .requiredOption("--data <name>", DATA)
    .option("--budget <limits>", "for example average-bits=2,model-size=16x", parseBudget, { averageBits: 2 })
    .addOption(
      new Option("--no-training", "round the network as it is, to 8 bits everywhere").conflicts([
        "budget",
        "epochs",
        "progressive",
      ]),
    )
    .option("--epochs <n>", "epochs of every stage; may be a fraction", positive)
    .option("--progressive <bits>", "fine-tune at more bits first, for example 8,4", descendingBits)
    .option("--seed <n>", "the same seed gives the same result", wholeFrom(0), 0)
    .addOption(
      new Option("--batch-normalization <how>", "what becomes of it in the artifact").choices([
        "keep",
        "fold",
        "reestimate",
        "reestimate-and-fold",
      ]),
    )
    .option("--per-channel", "give every output channel of a weight a scale of its own")
    .option("--no-per-channel", "one scale per weight; without training some get more by default")
    .option(
      "--bias-correction",
      "move biases so that layers make on average what they made; needs --no-training",
    )
    .option("--no-bias-correction", "leave biases as they are; without training they are moved by default")
    .requiredOption("--out <directory>", "where the artifact goes")
    .option("--report <directory>", "also write a report there: a page, figures, tables");
  edges(quantizing).action(quantize);
  const inspecting = add("inspect", "nodes, schemes, bits and sizes, and what is not quantized and why")
    .argument("<path>", "a network, or the directory of an artifact")
    .option("--json", "print JSON")
    .option("--sensitivity", "of a network, also what one bit more or less at each node does; needs --data")
    .option("--data <name>", `for --sensitivity: ${DATA}`)
    .option(
      "--budget <limits>",
      "for --sensitivity: bits are as equal as these limits let them be, by default average-bits=4",
      parseBudget,
    )
    .option(
      "--examples <n>",
      "for --sensitivity: on how many held-out examples, by default 1500",
      wholeFrom(1),
    )
    .option("--open-dimension <n>", "the size that counts where a network leaves it open", wholeFrom(1));
  edges(inspecting).action(inspect);
  add("evaluate", "loss and accuracy of an artifact on the test images")
    .argument("<artifact>", "the directory of an artifact")
    .requiredOption("--data <name>", DATA)
    .option("--json", "print JSON")
    .action(evaluate);
  addStudy(add("study", "ablation studies: the same plan under many settings, with results in one file"));
  add("doctor", "engine, device and versions; what is missing and the command that mends it")
    .option("--json", "print JSON")
    .action(doctor);
  add("setup", "install libtensorflow and build the engine").action(setup);
  kernelCommands(add("kernel", "the Jupyter kernel for notebooks in TypeScript"));
  return program;
}

/** Options that say what inside of layers is quantized too. */
function edges(command: Command): Command {
  return command
    .option("--recurrent-state", "also quantize the hidden states of recurrent cells")
    .option("--attention-products", "also quantize the factors of the products of attention");
}

/** `autoqnn study FILE` is short for `autoqnn study run FILE`. */
function addStudy(study: Command): void {
  const add = (nameAndArguments: string, description: string, settings = {}): Command =>
    study.command(nameAndArguments, settings).description(description).exitOverride();
  const file = "a module that exports a study by default: .js, .mjs, .ts or .mts";

  add("run", "run what is missing of a study", { isDefault: true })
    .argument("<file>", file)
    .option("--jobs <n>", "processes at a time, which share the cores", wholeFrom(1), 1)
    .option("--shard <i/n>", "only this part of the cells, from 0/n to (n-1)/n", parseShard)
    .option("--out <file>", "where the results go; by default beside the study, as .sqlite")
    .addOption(new Option("--worker").hideHelp())
    .action(runStudy);
  add("merge", "put the results of shards into one file")
    .argument("<files...>", "files of one study")
    .requiredOption("--out <file>", "where the results go")
    .action(mergeStudy);
  add("show", "cells, and the effects of the axes on accuracy")
    .argument("<file>", "results of a study")
    .option("--json", "print all columns as JSON")
    .option("--csv", "print all columns as CSV")
    .action(showStudy);
  add("slurm", "print a job script that spreads a study over a cluster")
    .argument("<file>", file)
    .requiredOption("--shards <n>", "tasks of the job array", wholeFrom(1))
    .option("--out <file>", "where the merged results go")
    .action(slurmStudy);
}

function positive(text: string): number {
  const value = Number(text);
  if (text.trim() !== "" && Number.isFinite(value) && value > 0) return value;
  throw new InvalidArgumentError("Expected a positive number.");
}

function descendingBits(text: string): number[] {
  const bits = text.split(",").map(Number);
  const whole = bits.every((b) => Number.isInteger(b) && b >= 1 && b <= 8);
  if (whole && bits.every((b, i) => i === 0 || b < bits[i - 1]!)) return bits;
  throw new InvalidArgumentError("Expected bitwidths from 8 down to 1, such as 8,4.");
}

function wholeFrom(least: number): (text: string) => number {
  return (text) => {
    const value = Number(text);
    if (text.trim() !== "" && Number.isSafeInteger(value) && value >= least) return value;
    throw new InvalidArgumentError(`Expected a whole number from ${least}.`);
  };
}
