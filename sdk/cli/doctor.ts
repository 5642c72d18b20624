export async function doctor({ json }: { json?: true }): Promise<void> {
  const { inspectEngine } = await import("../index.js");
  const found = await inspectEngine();
  if (json) console.log(JSON.stringify(found, undefined, 2));
  else for (const line of lines(found)) console.log(line);
}

/** One line for each fact: its name, with the names of what it is part of, and its value. */
function lines(value: unknown, name: readonly string[] = []): string[] {
  if (typeof value !== "object" || value === null) return [`${name.join(" ").padEnd(28)} ${value ?? "none"}`];
  return Object.entries(value).flatMap(([key, inner]) => lines(inner, [...name, key]));
}
