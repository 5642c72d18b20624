import { badModel } from "../badModel.js";
import type { CalledLayer } from "./blueprint.js";
import type { Reference } from "./calls.js";

/** The `call`-th call of `layer`. */
export interface PlacedCall {
  readonly layer: string;
  readonly call: number;
  readonly inputs: readonly Reference[];
}

/** A key for the `call`-th call of `layer`. */
export function keyOf(layer: string, call: number): string {
  return `${call} ${layer}`;
}

/**
 * The calls of `layers` in the order in which they stand, each after those that make its inputs.
 *
 * @throws AutoqnnError `bad-model` naming a call that waits for itself, or for one that does not exist.
 */
export function inOrder(layers: readonly CalledLayer[], where: string): readonly PlacedCall[] {
  const calls = layers.flatMap(({ blueprint: { name }, calls }) =>
    calls.map((inputs, call): PlacedCall => ({ layer: name, call, inputs })),
  );
  const byKey = new Map(calls.map((call) => [keyOf(call.layer, call.call), call]));
  // The tensors of an InputLayer are there without a call.
  const done = new Set(
    layers.map(({ blueprint: { name }, calls }) => (calls.length === 0 ? keyOf(name, 0) : "")),
  );
  const begun = new Set<string>();
  const ordered: PlacedCall[] = [];
  for (const call of calls) {
    const stack = [{ call, next: 0 }];
    while (stack.length > 0) {
      const top = stack.at(-1)!;
      const key = keyOf(top.call.layer, top.call.call);
      if (done.has(key)) {
        stack.pop();
        continue;
      }
      const input = top.call.inputs[top.next];
      if (!input) {
        ordered.push(top.call);
        done.add(key);
        stack.pop();
        continue;
      }
      begun.add(key);
      top.next += 1;
      const wanted = keyOf(input.layer, input.call);
      if (done.has(wanted)) continue;
      const maker = byKey.get(wanted);
      if (!maker || begun.has(wanted)) throw madeByNothing(input, `layer "${top.call.layer}" of ${where}`);
      stack.push({ call: maker, next: 0 });
    }
  }
  return ordered;
}

export function madeByNothing({ layer, call, output }: Reference, where: string): Error {
  const received = `${output === 0 ? "" : `output ${output} of `}call ${call} of "${layer}", which nothing makes,`;
  return badModel("inputs made by other layers", received, where, "Save the model again.");
}
