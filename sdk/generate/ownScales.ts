import { channelAxes } from "../graph/channels.js";
import type { QuantizedGraph } from "../graph/graph.js";
import { leavesOf } from "../model/bypass.js";
import { topologyOf } from "../model/topology/topology.js";
import { type ChannelAxes, channelFactors, channelOf, channelShape } from "../staircase/channels.js";
import { fit, measure, type SchemeName } from "../staircase/schemes.js";
import type { Assignment, Candidate } from "../train/policy.js";
import { rangeOf } from "../train/program.js";
import type { HostTensor, Snapshot } from "../train/snapshot.js";
import type { Packable } from "./fold.js";
import { multiplied } from "./multiplied.js";

/** A snapshot with weights divided by `factors`, by weight node, and `rounded`, what they are when they are rounded. */
export interface Scaled extends Pick<Packable, "snapshot" | "factors"> {
  readonly rounded: Readonly<Record<string, HostTensor>>;
}

/** How much of the error has to go, for a scale per channel to be worth its float32 each. */
const WORTH = 0.5;

/**
 * Schemes that lay their levels between the extremes of a weight, so that a channel far below them is left few levels. The
 * others lay theirs by its mean or deviation, which dividing by each channel's largest magnitude changes too: MobileNetV2 with
 * `clip` everywhere, at 8 bits, got outputs farther from its own (a relative error of 1.4 % became 4.7 %), although the
 * error of its weights had halved.
 */
const BETWEEN_EXTREMES: ReadonlySet<SchemeName> = new Set<SchemeName>(["fixed", "zoom"]);

/**
 * The network with a scale per output channel where one for the whole weight leaves too much: W becomes f (W / f), f a factor
 * per channel that the artifact keeps beside the codes of W / f. Nothing is computed otherwise before it is rounded. For
 * weights in `fixed` and `zoom`.
 *
 * A weight gets them where that at least halves its error: the mean over its channels of |W_c - W'_c|^2 / |W_c|^2. Channels
 * count alike, however small: what follows, a batch normalization or the weights of the next layer, may make any of them
 * large. With `fixed` the step of a channel is the one of least squared error among max abs W_c / k, k = 2^(b-2) ..
 * 2^(b-1) - 1, all of which have its largest value for a level. So a channel whose values are whole multiples of some step, as
 * in weights that were published in 8 bits, is met exactly if it can be. With `zoom` every channel's largest magnitude is
 * made the same.
 */
export function ownScales(graph: QuantizedGraph, snapshot: Snapshot, assignment: Assignment): Scaled {
  const leaves = leavesOf(topologyOf(graph.model));
  const factors: Record<string, HostTensor> = {};
  const rounded: Record<string, HostTensor> = {};
  const variables: Record<string, HostTensor> = { ...snapshot.variables };
  for (const node of graph.nodes) {
    const candidate = assignment[node.id];
    if (node.kind !== "weight" || node.channelAxes || !candidate) continue;
    if (!BETWEEN_EXTREMES.has(candidate.scheme)) continue;
    const axes = channelAxes(leaves.get(node.layer)?.className ?? "", node.id.slice(node.layer.length + 1));
    if (!axes) continue;
    const weight = variables[node.id]!;
    const factor = channelScales(weight, axes, candidate);
    const inverse = { ...factor, data: Float32Array.from(factor.data, (f) => 1 / f) };
    const divided = multiplied(weight, inverse);
    const round = (values: HostTensor): HostTensor => {
      const staircase = fit(candidate.scheme, candidate.bits, measure(values.data), rangeOf(node, true));
      return { ...values, data: staircase.apply(values.data) };
    };
    const own = multiplied(round(divided), factor);
    if (!(error(weight, own, axes) < WORTH * error(weight, round(weight), axes))) continue;
    variables[node.id] = divided;
    factors[node.id] = factor;
    rounded[node.id] = own;
  }
  return { snapshot: { ...snapshot, variables }, factors, rounded };
}

/** What every channel of a weight is divided by. */
function channelScales(
  { shape, data }: HostTensor,
  axes: ChannelAxes,
  { scheme, bits }: Candidate,
): HostTensor {
  const largest = channelFactors(data, shape, axes);
  const own: HostTensor = { shape: channelShape(shape, axes), dtype: "float32", data: largest };
  if (scheme !== "fixed") return own;
  const channel = channelOf(shape, axes);
  const each = Array.from(largest, () => new Float64Array(data.length / largest.length));
  const filled = new Int32Array(largest.length);
  for (let i = 0; i < data.length; i++) {
    const c = channel(i);
    each[c]![filled[c]!++] = data[i]!;
  }
  const unit = 2 ** (2 - bits);
  return { ...own, data: Float32Array.from(each, (values) => bestStep(values, bits) / unit) };
}

/** The step of least squared error, with ties to the smallest: max abs x / k, k = 2^(b-1) - 1 .. 2^(b-2). */
function bestStep(values: Float64Array, bits: number): number {
  const most = values.reduce((so, x) => Math.max(so, Math.abs(x)), 0);
  if (most === 0) return 1;
  let best = { step: most, error: Number.POSITIVE_INFINITY };
  for (let k = 2 ** (bits - 1) - 1; k >= 2 ** (bits - 2); k--) {
    const step = most / k;
    let sum = 0;
    for (let i = 0; i < values.length && sum < best.error; i++)
      sum += (values[i]! - step * Math.round(values[i]! / step)) ** 2;
    if (sum < best.error) best = { step, error: sum };
  }
  return best.step;
}

/** The mean over channels of the squared difference, in parts of the channel's square. */
function error(weight: HostTensor, rounded: HostTensor, axes: ChannelAxes): number {
  const channel = channelOf(weight.shape, axes);
  const count = channelFactors(weight.data, weight.shape, axes).length;
  const [difference, square] = [new Float64Array(count), new Float64Array(count)];
  for (let i = 0; i < weight.data.length; i++) {
    const c = channel(i);
    difference[c]! += (weight.data[i]! - rounded.data[i]!) ** 2;
    square[c]! += weight.data[i]! ** 2;
  }
  return difference.reduce((sum, each, c) => sum + (square[c]! > 0 ? each / square[c]! : 0), 0) / count;
}
