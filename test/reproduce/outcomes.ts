import type { Chosen, Experiment, Extent, Found, Outcome, Request } from "../../reproduce/experiment.js";

/** A scale of two small networks, for tables over outcomes that are made by hand. */
export const SCALE: Extent = {
  name: "hand",
  title: "made by hand",
  networks: ["resnet8", "resnet14"],
  seeds: [0, 1, 2],
  bits: [2, 3],
};

/** What an outcome says where a test does not. */
export function outcome(request: Request, given: Partial<Outcome> = {}): Outcome {
  const score = { loss: 0.3, accuracy: 0.9, count: 100 };
  return {
    ...request,
    ...{ rate: 0.01, steps: 100, validation: score, test: score, bytes: 20_000, seconds: 10 },
    averageBits: { weights: request.bits, activations: request.bits },
    ...given,
  };
}

/** The outcomes of every request for which `make` gives one. */
export function foundOf(
  experiment: Experiment,
  scale: Extent,
  make: (request: Request) => Partial<Outcome> | undefined,
): Found & { readonly outcomes: readonly Outcome[] } {
  const outcomes = experiment.requests(scale).flatMap((request) => {
    const given = make(request);
    return given ? [outcome(request, given)] : [];
  });
  const key = ({ network, method, bits, seed }: Request): string =>
    JSON.stringify([network, method, bits, seed]);
  const known = new Map(outcomes.map((one) => [key(one), one]));
  return { outcomes, of: (request) => known.get(key(request)) };
}

/** Test accuracy, a fraction, as a score. */
export const scored = (accuracy: number): Pick<Outcome, "test"> => ({
  test: { loss: 0.3, accuracy, count: 10_000 },
});

/** Some nodes of a small network, as a search and precision learning might leave them. */
export function nodesFor(seed: number): Chosen[] {
  const schemes = ["clip", "zoom", "residual", "ternary", "pot", "fixed"] as const;
  return ["stem", "block1/conv1", "block1/conv2", "block2/conv1", "block2/conv2", "dense"].flatMap(
    (layer, index) => [
      {
        ...{ id: `${layer}/kernel`, layer, kind: "weight" as const, elements: 144 * 2 ** index },
        ...{ scheme: schemes[(index + seed) % schemes.length]!, bits: 1 + ((index * 5 + seed) % 4) },
      },
      {
        ...{ id: `${layer}/input`, layer, kind: "input" as const, elements: 12_544 >> index },
        ...{ scheme: schemes[index % 3]!, bits: 1 + ((index + 1) % 3) },
      },
    ],
  );
}
