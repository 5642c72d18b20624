import { type Command, Option } from "commander";

/** Loaded when needed: no other command needs sockets. */
const kernel = () => import("../kernel/index.js");

/** Serves one notebook: Jupyter starts this. */
async function runKernel(options: { connectionFile: string; allowRemote?: boolean }): Promise<void> {
  const { readConnection, serve } = await kernel();
  await serve(await readConnection(options.connectionFile, options.allowRemote));
}

/** Where the commands that install and remove the kernel work: in the user's folder if nothing else is said. */
interface PlaceOptions {
  readonly user?: boolean;
  readonly prefix?: string;
}

async function install({ prefix }: PlaceOptions): Promise<void> {
  const { installKernel } = await kernel();
  const folder = await installKernel(prefix === undefined ? {} : { prefix });
  console.log(`Installed TypeScript (AutoQNN) in ${folder}`);
}

async function uninstall({ prefix }: PlaceOptions): Promise<void> {
  const { uninstallKernel } = await kernel();
  const folder = await uninstallKernel(prefix === undefined ? {} : { prefix });
  console.log(folder === undefined ? "The kernel is not installed there." : `Removed ${folder}`);
}

/** Gives the command `kernel` its own commands. */
export function kernelCommands(group: Command): void {
  const add = (name: string, description: string): Command =>
    group.command(name).description(description).exitOverride();
  const user = (): Option =>
    new Option("--user", "in the user's own folder (the default)").conflicts("prefix");
  const prefix = (): Option =>
    new Option("--prefix <directory>", "below this directory, for example a Python environment");
  add("install", "tell Jupyter of the kernel").addOption(user()).addOption(prefix()).action(install);
  add("uninstall", "take the kernel out of Jupyter's list")
    .addOption(user())
    .addOption(prefix())
    .action(uninstall);
  add("run", "serve one notebook; Jupyter starts this")
    .requiredOption("--connection-file <file>", "where to listen, as Jupyter writes it")
    .option("--allow-remote", "listen also where other machines can reach the kernel")
    .action(runKernel);
}
