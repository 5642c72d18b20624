import { createHash, type Hash } from "node:crypto";
import { serialize } from "node:v8";
import type { Addon, Graph } from "./addon.js";

/** Functions that no step uses are kept, up to so many, because a later stage of a plan often runs the same step again. */
const KEPT = 16;

interface Known {
  readonly key: string;
  readonly name: string;
  uses: number;
}

/**
 * The functions of TensorFlow's context, each known by what was recorded into its graph: equal graphs share one function,
 * which TensorFlow optimizes and compiles once.
 */
export class Functions {
  /** In the order in which they were last used. */
  private readonly byKey = new Map<string, Known>();
  private readonly byName = new Map<string, Known>();

  constructor(private readonly addon: Addon) {}

  /** A graph to record into. */
  graph(): Graph {
    return new HashedGraph(this.addon, (key, make) => this.use(key, make));
  }

  /** Lets go of one use of a function. */
  release(name: string): void {
    const known = this.byName.get(name);
    if (known === undefined || known.uses === 0) return;
    known.uses--;
    const unused = [...this.byKey.values()].filter(({ uses }) => uses === 0);
    for (const { key, name: old } of unused.slice(0, Math.max(0, unused.length - KEPT))) {
      this.byKey.delete(key);
      this.byName.delete(old);
      this.addon.removeFunction(old);
    }
  }

  private use(key: string, make: () => string): string {
    const known = this.byKey.get(key) ?? { key, name: make(), uses: 0 };
    known.uses++;
    this.byKey.delete(key);
    this.byKey.set(key, known);
    this.byName.set(known.name, known);
    return known.name;
  }
}

/** A graph that takes down all that is recorded into it. */
class HashedGraph implements Graph {
  private readonly graph: Graph;
  private readonly hash: Hash = createHash("sha256");

  constructor(
    addon: Addon,
    private readonly use: (key: string, make: () => string) => string,
  ) {
    this.graph = new addon.Graph();
  }

  placeholder(...what: Parameters<Graph["placeholder"]>): ReturnType<Graph["placeholder"]> {
    this.note("placeholder", what);
    return this.graph.placeholder(...what);
  }

  constant(...what: Parameters<Graph["constant"]>): ReturnType<Graph["constant"]> {
    this.note("constant", what);
    return this.graph.constant(...what);
  }

  operation(...what: Parameters<Graph["operation"]>): ReturnType<Graph["operation"]> {
    this.note("operation", what);
    return this.graph.operation(...what);
  }

  finish(...what: Parameters<Graph["finish"]>): string {
    const [, ...rest] = what;
    // The label only helps to read a profile.
    this.note("finish", rest);
    return this.use(this.hash.digest("hex"), () => this.graph.finish(...what));
  }

  private note(kind: string, what: readonly unknown[]): void {
    this.hash.update(serialize([kind, what]));
  }
}
