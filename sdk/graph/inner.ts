import type * as tf from "@tensorflow/tfjs";
import { type CellFields, cellEdges, type Enter, STEPS, type Step } from "../model/layers/cells.js";
import { convolutionalEdges, convolutionalStep } from "../model/layers/convolutionalRecurrent.js";
import type { Inner, InnerEdge } from "../model/layers/inner.js";
import { fields, type Layer } from "./layers.js";
import type { Patches } from "./patches.js";

/** An inner edge of a leaf, with the layer in it that passes the tensor through its `enter`. */
export interface HeldEdge extends Required<Omit<InnerEdge, "option">>, Pick<InnerEdge, "option"> {
  readonly holder: Layer;
  /** What `holder` calls it; `name` says where in the leaf the holder is as well. */
  readonly key: string;
}

type Shapes = readonly (readonly number[])[];

interface Parts {
  readonly forwardLayer?: Layer;
  readonly backwardLayer?: Layer;
  readonly layer?: Layer;
  readonly cell?: Layer;
  readonly cells?: readonly Layer[];
}

/** tfjs's own cells: how they compute a step, and where nodes can stand in it. */
const CELLS: Readonly<
  Record<string, { step: Step; edges(cell: CellFields, inputs: Shapes): readonly InnerEdge[] }>
> = {
  ...Object.fromEntries(
    Object.entries(STEPS).map(([kind, step]) => [
      kind,
      { step, edges: (cell: CellFields) => cellEdges(kind, cell) },
    ]),
  ),
  ConvLSTM2DCell: { step: convolutionalStep, edges: convolutionalEdges },
};

const declares = (layer: Layer): layer is Layer & Inner =>
  typeof (layer as Partial<Inner>).innerEdges === "function" &&
  typeof (layer as Partial<Inner>).enter === "function";

/** Whether a cell is tfjs's own, which passes nothing through `enter` but computes as ours does. */
const isStockCell = (layer: Layer): boolean =>
  layer.getClassName() in CELLS && !declares(layer) && "recurrentKernel" in layer;

/** The inner edges of one call of a leaf: of layers that declare some, of recurrent cells, and of wrapped ones. */
export function innerEdges(leaf: Layer, inputs: Shapes): HeldEdge[] {
  const { forwardLayer, backwardLayer, layer, cell } = fields<Parts>(leaf);
  const steps = inputs[0]?.[0] ?? 1;
  const each = [inputs[0]?.slice(1) ?? [], ...inputs.slice(1)];
  if (forwardLayer && backwardLayer) {
    return [forwardLayer, backwardLayer].flatMap((half) =>
      innerEdges(half, inputs).map(placed(`${half.name}/`)),
    );
  }
  if (cell) return cellsEdges(cell, each).map(repeated(steps));
  if (leaf.getClassName() === "TimeDistributed" && layer) return innerEdges(layer, each).map(repeated(steps));
  return own(leaf, inputs);
}

function cellsEdges(cell: Layer, inputs: Shapes): HeldEdge[] {
  const { cells } = fields<Parts>(cell);
  const inside = cells?.flatMap((part, i) => cellsEdges(part, inputs).map(placed(`RNNCell_${i}/`))) ?? [];
  return [...inside, ...own(cell, inputs)];
}

function own(holder: Layer, inputs: Shapes): HeldEdge[] {
  const found = declares(holder)
    ? holder.innerEdges(inputs)
    : isStockCell(holder)
      ? CELLS[holder.getClassName()]!.edges(fields<CellFields>(holder), inputs)
      : [];
  return found.map((edge) => ({ steps: 1, ...edge, holder, key: edge.name }));
}

const placed =
  (prefix: string) =>
  (edge: HeldEdge): HeldEdge => ({
    ...edge,
    name: prefix + edge.name,
    meets: edge.meets.map(({ factor, macs }) => ({ factor: prefix + factor, macs })),
  });

const repeated =
  (steps: number) =>
  (edge: HeldEdge): HeldEdge => ({ ...edge, steps: steps * edge.steps });

/**
 * Puts `pass` on the inner edges of one call of a leaf for as long as `instances` are held. tfjs's own cells then compute by
 * our step, also where no node stands: what an artifact is rebuilt of is ours, and must give the same bits.
 */
export function enterInner(
  edges: readonly HeldEdge[],
  pass: (edge: HeldEdge, x: tf.Tensor) => tf.Tensor,
  instances: Patches,
): void {
  const holders = new Map<Layer, Map<string, HeldEdge>>();
  for (const edge of edges) {
    const known = holders.get(edge.holder) ?? new Map<string, HeldEdge>();
    holders.set(edge.holder, known.set(edge.key, edge));
  }
  for (const [holder, known] of holders) {
    const enter: Enter = (name, x) => {
      const edge = known.get(name);
      return edge ? pass(edge, x) : x;
    };
    if (declares(holder)) instances.set(holder, "enter", enter);
    else {
      const { step } = CELLS[holder.getClassName()]!;
      instances.set(holder, "call", (inputs: tf.Tensor[], kwargs: { readonly training?: boolean }) =>
        step(fields<CellFields>(holder), inputs, kwargs.training ?? false, enter),
      );
    }
  }
}
