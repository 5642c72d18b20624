import { showsItself } from "../display.js";
import { asHtml, asText } from "../table.js";
import type { Assigned } from "./costs.js";
import type { Pin, QuantizedGraph } from "./graph.js";
import { groups } from "./groups.js";
import { size } from "./macs.js";
import { tablesOf } from "./print.js";
import { type Totals, totals } from "./totals.js";

/** One weight, or one input of a layer call. */
export interface TableRow {
  readonly id: string;
  readonly kind: "weight" | "input";
  readonly layer: string;
  readonly className: string;
  /** Without the batch dimension for inputs. */
  readonly shape: readonly number[];
  /** Number of values: of the weight, or of the input per sample. */
  readonly elements: number;
  /** How many layer calls read it. */
  readonly consumers: number;
  /** Multiply-accumulates per sample in which it is a factor. */
  readonly macs: number;
  /** Why it is no node; absent for nodes. */
  readonly reason?: string;
  /** What the option `pin` fixes at a node. */
  readonly pin?: Pin;
  /** What is assigned to a node. */
  readonly scheme?: string;
  readonly bits?: number;
}

/** All layers of one class together. */
export interface ClassRow {
  readonly className: string;
  readonly layers: number;
  /** Values of their variables, and of those that are weight nodes. */
  readonly parameters: number;
  readonly inNodes: number;
  /** Multiply-accumulates per sample. */
  readonly macs: number;
}

/**
 * The report of a graph: its rows, nodes first, as an array, with sums and ways to print it.
 *
 * @example
 * const table = quantizedGraph(model).table();
 * console.log(String(table));
 * const { totals, leftAlone } = JSON.parse(JSON.stringify(table));
 */
export interface GraphTable extends ReadonlyArray<TableRow> {
  readonly classes: readonly ClassRow[];
  readonly totals: Totals;
  /** Text for a terminal of 100 columns: nodes, what is left alone by reason, layer classes, totals. */
  toString(): string;
  /** The same for a notebook. */
  toHtml(): string;
  toJSON(): Report;
}

/** The report as plain values. */
export interface Report {
  readonly nodes: readonly TableRow[];
  readonly leftAlone: readonly TableRow[];
  readonly classes: readonly ClassRow[];
  readonly totals: Totals;
}

/** Columns of a terminal that lines are kept within, where names allow it. */
const COLUMNS = 100;

/** Stands for the class of layers that no output needs. */
const NOT_EXECUTED = "(not executed)";

/** The report of `graph`; with `assigned`, schemes and bits of the nodes stand in it too. */
export function table(graph: QuantizedGraph, assigned?: Assigned): GraphTable {
  const rows = rowsOf(graph, assigned);
  const nodes = rows.filter(({ reason }) => reason === undefined);
  const leftAlone = rows.filter(({ reason }) => reason !== undefined);
  const sums = { classes: classesOf(graph, rows), totals: totals(graph, assigned) };
  const printed = () => tablesOf({ nodes, leftAlone, ...sums });
  const methods = {
    toString: () =>
      printed()
        .map((part) => asText(part, COLUMNS))
        .join("\n\n"),
    toHtml: () => printed().map(asHtml).join("\n"),
    toJSON: () => ({ nodes, leftAlone, ...sums }),
  };
  return Object.freeze(showsItself(Object.assign(rows, sums, methods)));
}

function rowsOf(graph: QuantizedGraph, assigned: Assigned | undefined): TableRow[] {
  const calls = groups(graph.calls, ({ layer }) => layer);
  const classes = new Map(graph.calls.map(({ layer, className }) => [layer, className]));
  const macs = new Map<string, number>();
  for (const { weight, input, macs: count } of graph.calls.flatMap((call) => call.products)) {
    for (const id of [weight, input]) if (id !== undefined) macs.set(id, (macs.get(id) ?? 0) + count);
  }
  const className = (layer: string): string => classes.get(layer) ?? NOT_EXECUTED;
  const nodes = graph.nodes.map(({ id, kind, layer, shape, elements, consumers, macs, pin }) => {
    const { scheme, bits } = assigned?.[id] ?? {};
    return {
      ...{ id, kind, layer, className: className(layer), shape, elements, consumers, macs },
      ...(pin && { pin }),
      ...(scheme !== undefined && bits !== undefined && { scheme, bits }),
    };
  });
  const others = graph.leftAlone.map(({ id, kind, layer, shape, reason }) => ({
    ...{ id, kind, layer, className: className(layer), shape, elements: size(shape) },
    consumers: kind === "input" ? 1 : (calls.get(layer)?.length ?? 0),
    ...{ macs: macs.get(id) ?? 0, reason },
  }));
  return [...nodes, ...others].map((row) => Object.freeze(row));
}

function classesOf(graph: QuantizedGraph, rows: readonly TableRow[]): ClassRow[] {
  const weights = groups(
    rows.filter(({ kind }) => kind === "weight"),
    ({ className }) => className,
  );
  const calls = groups(graph.calls, ({ className }) => className);
  return [...new Set([...calls.keys(), ...weights.keys()])].map((className) => {
    const own = weights.get(className) ?? [];
    const products = (calls.get(className) ?? []).flatMap((call) => call.products);
    return Object.freeze({
      className,
      layers: new Set([...(calls.get(className) ?? []), ...own].map(({ layer }) => layer)).size,
      parameters: sum(own.map(({ elements }) => elements)),
      inNodes: sum(own.map(({ elements, reason }) => (reason === undefined ? elements : 0))),
      macs: sum(products.map(({ macs }) => macs)),
    });
  });
}

const sum = (values: readonly number[]): number => values.reduce((total, value) => total + value, 0);
