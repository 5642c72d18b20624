/** What can be wrong with a node while a stage trains; each is defined where it is looked for. */
export type FindingKind =
  | "non-finite"
  | "dead"
  | "constant"
  | "stuck"
  | "collapsing"
  | "premature"
  | "oscillating"
  | "drifting";

/** Something wrong with a node. */
export interface Finding {
  readonly node: string;
  readonly kind: FindingKind;
  /** The first step, counted from 1, of which it is true. */
  readonly since: number;
  /** The numbers that say so, by name. */
  readonly evidence: Readonly<Record<string, number>>;
  /** What probably makes it so, and what to try: a sentence each. */
  readonly cause: string;
  readonly remedy: string;
}

/** What a check says of a node that has what it looks for. */
export type Found = Pick<Finding, "since" | "evidence" | "cause" | "remedy">;

/** A finding in a line. */
export function describeFinding({ node, kind, since, evidence, cause, remedy }: Finding): string {
  const numbers = Object.entries(evidence).map(([name, value]) => `${name} ${Number(value.toPrecision(3))}`);
  return `${kind} at ${node} since step ${since} (${numbers.join(", ")}). ${cause} ${remedy}`;
}
