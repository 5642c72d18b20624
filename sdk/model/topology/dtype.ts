import { badModel } from "../badModel.js";
import { isConfig, show } from "../config.js";

/** Types of numbers in Keras that tfjs has another for. Whole numbers of other widths are kept in 32 bits. */
const TYPES: Readonly<Record<string, string>> = {
  bool: "bool",
  ...Object.fromEntries(
    ["int8", "int16", "int32", "int64", "uint8", "uint16", "uint32", "uint64"].map((name) => [name, "int32"]),
  ),
  // tfjs computes in float32, so what is of lower or mixed precision is raised to it. Weights of mixed policies are float32.
  ...Object.fromEntries(
    ["float16", "bfloat16", "float32", "float64", "mixed_float16", "mixed_bfloat16"].map((name) => [
      name,
      "float32",
    ]),
  ),
};

/**
 * tfjs's type for a type or a policy of Keras: "float32", { config: { name: "mixed_float16" } }.
 *
 * @throws AutoqnnError `bad-model` for text, for policies of quantized numbers and for what is unknown.
 */
export function dtypeOf(value: unknown, where: string, writer: "tfjs" | "keras2" | "keras3"): unknown {
  if (value === null || value === undefined || writer === "tfjs") return value;
  const name = isConfig(value) && isConfig(value.config) ? value.config.name : value;
  if (typeof name === "string" && Object.hasOwn(TYPES, name)) return TYPES[name];
  const hint = "Save the model with float32 weights, before Keras quantizes it, and with numbers as inputs.";
  throw badModel(`a type of numbers among ${Object.keys(TYPES).join(", ")}`, show(value), where, hint);
}
