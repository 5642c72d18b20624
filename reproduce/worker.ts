import { AutoqnnError } from "../sdk/index.js";
import type { Outcome } from "./experiment.js";
import type { Job } from "./outcomes.js";
import { type Setting, start, train } from "./train.js";

/** What the process that hands out work sends: a start to have, or a network to train. */
export interface Order {
  readonly setting: Setting;
  readonly job: Job;
  readonly only?: "start";
}

/** What a worker sends back. */
export type Answer = { readonly outcome?: Outcome } | { readonly failed: string };

process.on("message", async ({ setting, job, only }: Order) => {
  const answer = (given: Answer) => process.send!(given);
  try {
    if (only) {
      await start(setting, job);
      answer({});
    } else {
      answer({ outcome: await train(setting, job) });
    }
  } catch (error) {
    answer({
      failed: error instanceof AutoqnnError ? error.message : String((error as Error).stack ?? error),
    });
  }
});
process.on("disconnect", () => process.exit(0));
