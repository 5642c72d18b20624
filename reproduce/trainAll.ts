import { join } from "node:path";
import { FLOATING, FLOATING_BITS, type Outcome, type Request } from "./experiment.js";
import { carryOut } from "./jobs.js";
import type { Job, Outcomes } from "./outcomes.js";
import type { Scale } from "./scales.js";
import { forget, type Setting } from "./train.js";

/**
 * Trains what is missing: first the starts in floating point, then each family's learning rates, then the rest at the best of
 * them. Says how far it is. What needs a start that failed is not tried: it fails for the same reason.
 *
 * @param jobs networks trained at once
 * @returns what failed, and why
 * @throws Stopped after a signal
 */
export async function trainAll(
  scale: Scale,
  setting: Setting,
  outcomes: Outcomes,
  requests: readonly Request[],
  jobs: number,
): Promise<string[]> {
  const starts = [...new Map(requests.map((request) => [startOf(request), request])).values()].map(
    ({ network, seed }) => ({
      ...{ network, seed, method: FLOATING, bits: FLOATING_BITS, rate: scale.rates[0]! },
    }),
  );
  const missing = (own: readonly Job[]): Job[] => unique(own).filter((job) => !outcomes.has(job));
  const tuning = missing(
    scale.rates.length > 1 ? requests.flatMap((request) => outcomes.tuning(request)) : [],
  );
  const rest = (): Job[] =>
    missing(
      requests.flatMap((request) => {
        const rate = outcomes.rateOf(request);
        return rate === undefined ? [] : [{ ...request, rate }];
      }),
    );
  const needed = new Set([...tuning, ...rest()].map(startOf));
  const phases = [
    {
      title: "networks in floating point",
      own: () => starts.filter((start) => needed.has(startOf(start))),
      only: "start" as const,
    },
    { title: "learning rates", own: () => tuning },
    { title: "networks of the tables", own: rest },
  ];
  const failedStarts = new Map<string, string>();
  const failed: string[] = [];
  for (const { title, own, only } of phases) {
    const phase = own();
    if (phase.length > 0) console.log(`${title}: ${phase.length}`);
    const begun = performance.now();
    let count = 0;
    const done = async (job: Job, outcome: Outcome | undefined, failure: string | undefined) => {
      count += 1;
      if (outcome) {
        outcomes.add(outcome);
        await forget(setting, job);
      }
      if (failure !== undefined) failed.push(`${nameOf(job)}: ${failure}`);
      if (failure !== undefined && only) failedStarts.set(startOf(job), failure);
      const left = ((performance.now() - begun) / count) * (phase.length - count);
      const remaining = count < phase.length ? `, ${duration(left / 1000)} left` : "";
      console.log(`${count}/${phase.length}${remaining}  ${nameOf(job)}${saidOf(outcome, failure)}`);
    };
    const [startless, trainable] = [true, false].map((without) =>
      phase.filter((job) => failedStarts.has(startOf(job)) === without),
    ) as [Job[], Job[]];
    for (const job of startless) {
      const why = failedStarts.get(startOf(job));
      await done(job, undefined, `the network in floating point that it starts from failed: ${why}`);
    }
    await carryOut(
      trainable.map((job) => ({ setting, job, apart: scale.apart, ...(only && { only }) })),
      jobs,
      join(setting.directory, "workers.log"),
      ({ job }, outcome, failure) => done(job, outcome, failure),
    );
  }
  return failed;
}

/** What networks that start from the same one in floating point have in common. */
const startOf = ({ network, seed }: Pick<Job, "network" | "seed">): string => `${network} ${seed}`;

const unique = (jobs: readonly Job[]): Job[] => [
  ...new Map(jobs.map((job) => [JSON.stringify(job, Object.keys(job).toSorted()), job])).values(),
];

const nameOf = ({ network, method, bits, seed, rate }: Job): string =>
  `${network}, ${method}, ${bits} bits, seed ${seed}, rate ${rate}`;

function saidOf(outcome: Outcome | undefined, failure: string | undefined): string {
  if (failure !== undefined) return `: FAILED, ${failure}`;
  if (!outcome) return "";
  const { validation, seconds } = outcome;
  return `: validation ${(100 * validation.accuracy).toFixed(2)} %, ${duration(seconds)}`;
}

function duration(seconds: number): string {
  if (seconds < 90) return `${seconds.toFixed(0)} s`;
  return seconds < 5400 ? `${(seconds / 60).toFixed(0)} min` : `${(seconds / 3600).toFixed(1)} h`;
}
