#!/usr/bin/env node
import { CommanderError } from "commander";
import { commands } from "./commands.js";
import { failureCode } from "./interruption.js";

/**
 * The `autoqnn` command. Exit code 0 on success, 1 on an error of the run, 2 on wrong usage, 130 or 143 where SIGINT or SIGTERM
 * ended it. Results go to standard output, progress and errors to standard error.
 */
async function main(): Promise<number> {
  try {
    await commands().parseAsync();
    return 0;
  } catch (error) {
    // Help and version end by an error too, one without fault; what commander refuses it has already told.
    if (error instanceof CommanderError) return error.exitCode === 0 ? 0 : 2;
    console.error(process.env.AUTOQNN_DEBUG === "1" ? error : `autoqnn: ${oneLine(error)}`);
    return failureCode();
  }
}

function oneLine(error: unknown): string {
  const message = error instanceof Error ? error.message : String(error);
  return message.replace(/\s*\n\s*/g, " ");
}

process.exitCode = await main();
