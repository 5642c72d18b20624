import { AutoqnnError } from "../errors.js";

/** Whether `name` matches `pattern`, in which * stands for any characters. */
export function matches(pattern: string, name: string): boolean {
  const expression = pattern.split("*").map((part) => part.replace(/[.+?^${}()|[\]\\]/g, "\\$&"));
  return new RegExp(`^${expression.join(".*")}$`).test(name);
}

/**
 * The names that a pattern of `option` matches.
 *
 * @throws AutoqnnError `bad-option` when there is none: a pattern without effect is a misspelt one.
 */
export function select(option: string, pattern: string, names: readonly string[]): string[] {
  const found = names.filter((name) => matches(pattern, name));
  if (found.length > 0) return found;
  const near = names
    .map((name) => ({ name, distance: distance(pattern, name) }))
    .sort((a, b) => a.distance - b.distance)
    .slice(0, 3)
    .map(({ name }) => `"${name}"`);
  throw new AutoqnnError(
    "bad-option",
    `Expected a pattern in ${option} that matches a name of the graph, received "${pattern}".`,
    near.length > 0 ? `Near names: ${near.join(", ")}; * stands for any characters.` : "The graph has none.",
  );
}

/** Levenshtein distance. */
function distance(a: string, b: string): number {
  let row = Array.from({ length: b.length + 1 }, (_, j) => j);
  for (let i = 1; i <= a.length; i++) {
    const next = [i];
    for (let j = 1; j <= b.length; j++) {
      next.push(Math.min(row[j]! + 1, next[j - 1]! + 1, row[j - 1]! + (a[i - 1] === b[j - 1] ? 0 : 1)));
    }
    row = next;
  }
  return row[b.length]!;
}
