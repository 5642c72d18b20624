import { Command, InvalidArgumentError, Option } from "commander";
import { parseBudget } from "./budget.js";
import { doctor } from "./doctor.js";
import { evaluate } from "./evaluate.js";
import { inspect } from "./inspect.js";
import { kernelCommands } from "./kernel.js";
import { quantize } from "./quantize.js";
import { setup } from "./setup.js";

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

  add("quantize", "search schemes, learn bitwidths, fine-tune, and save the quantized network")
    .argument("<model>", "a trained network: model.json, .h5 or .keras")
    .requiredOption("--data <name>", DATA)
    .option("--budget <limits>", "for example average-bits=2,model-size=16x", parseBudget, { averageBits: 2 })
    .option("--epochs <n>", "epochs of every stage; may be a fraction", positive)
    .option("--seed <n>", "the same seed gives the same result", wholeFrom(0), 0)
    .addOption(
      new Option("--batch-normalization <how>", "what becomes of it in the artifact").choices([
        "keep",
        "fold",
        "reestimate",
        "reestimate-and-fold",
      ]),
    )
    .requiredOption("--out <directory>", "where the artifact goes")
    .action(quantize);
  add("inspect", "nodes, schemes, bits and sizes, and what is not quantized and why")
    .argument("<path>", "a network, or the directory of an artifact")
    .option("--json", "print JSON")
    .option("--open-dimension <n>", "the size that counts where a network leaves it open", wholeFrom(1))
    .action(inspect);
  add("evaluate", "loss and accuracy of an artifact on the test images")
    .argument("<artifact>", "the directory of an artifact")
    .requiredOption("--data <name>", DATA)
    .option("--json", "print JSON")
    .action(evaluate);
  add("doctor", "engine, device and versions; what is missing and the command that mends it")
    .option("--json", "print JSON")
    .action(doctor);
  add("setup", "install libtensorflow and build the engine").action(setup);
  kernelCommands(add("kernel", "the Jupyter kernel for notebooks in TypeScript"));
  return program;
}

function positive(text: string): number {
  const value = Number(text);
  if (text.trim() !== "" && Number.isFinite(value) && value > 0) return value;
  throw new InvalidArgumentError("Expected a positive number.");
}

function wholeFrom(least: number): (text: string) => number {
  return (text) => {
    const value = Number(text);
    if (text.trim() !== "" && Number.isSafeInteger(value) && value >= least) return value;
    throw new InvalidArgumentError(`Expected a whole number from ${least}.`);
  };
}
