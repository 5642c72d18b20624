import { AutoqnnError } from "../sdk/index.js";
import type { Outcome } from "./experiment.js";
import type { Job } from "./outcomes.js";
import { type Setting, start, train } from "./train.js";

/** What the process that hands out work sends: a start to have, or a network to train. */
export interface Order {
  readonly setting: Setting;
  readonly job: Job;
  /** Whether the process is for this order alone, so that its memory is that of the network. */
  readonly apart: boolean;
  readonly only?: "start";
}

/** What a worker sends back. */
export type Answer = { readonly outcome?: Outcome } | { readonly failed: string };

/** The most memory that this process had, in MB of 10^6 bytes. */
const peak = (): number => (process.resourceUsage().maxRSS * 1024) / 1e6;

process.on("message", async ({ setting, job, apart, only }: Order) => {
  const answer = (given: Answer) => process.send!(given);
  try {
    if (only) {
      await start(setting, job);
      answer({});
    } else {
      answer({ outcome: { ...(await train(setting, job)), ...(apart && { peakMegabytes: peak() }) } });
    }
  } catch (error) {
    answer({
      failed: error instanceof AutoqnnError ? error.message : String((error as Error).stack ?? error),
    });
  }
});
process.on("disconnect", () => process.exit(0));
