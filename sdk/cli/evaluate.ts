import { readData } from "./data.js";
import { percent } from "./quantize.js";

export async function evaluate(
  path: string,
  { data: name, json }: { data: string; json?: true },
): Promise<void> {
  const { load, terminalProgress } = await import("../index.js");
  const quantized = await load(path);
  const { test } = await readData(name, quantized.inputs[0]?.shape ?? []);
  const result = await quantized.evaluate(test, { onProgress: await terminalProgress() });
  if (json) console.log(JSON.stringify(result));
  else
    console.log(
      `Accuracy ${percent(result.accuracy)}, loss ${result.loss.toFixed(4)} nat, on ${result.count} examples.`,
    );
}
