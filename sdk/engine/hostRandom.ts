import * as tf from "@tensorflow/tfjs";

/** tfjs draws these on the host, so that a compiled step would repeat one draw for ever. */
const RANDOM = new Set([
  "randomUniform",
  "randomUniformInt",
  "randomNormal",
  "randomStandardNormal",
  "randomGamma",
  "truncatedNormal",
  "rand",
  "multinomial",
  "dropout",
]);

/** The names of the tfjs operations under way, outermost first. */
export function operations(): string[] {
  const suffix = "__op";
  return tf
    .engine()
    .state.scopeStack.map((scope) => scope.name)
    .filter((name) => name.endsWith(suffix))
    .map((name) => name.slice(0, -suffix.length));
}

/** The operation under way that draws random numbers on the host, if one does. */
export function hostRandom(): string | undefined {
  return operations().find((name) => RANDOM.has(name));
}
