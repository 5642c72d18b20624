import * as tf from "@tensorflow/tfjs";
import { notebook } from "../display.js";
import { AutoqnnError } from "../errors.js";
import type { QuantizedGraph } from "../graph/graph.js";
import { schemeAt } from "../staircase/schemes.js";
import { drawn } from "./drawn.js";
import { countCorrect, crossEntropies } from "./objective.js";
import type { Assignment, Candidate, Policy } from "./policy.js";
import { program, rangeOf } from "./program.js";
import type { OnProgress } from "./progress.js";
import type { HostTensor, Snapshot } from "./snapshot.js";
import { toDevice } from "./snapshot.js";
import { stateOf } from "./state.js";
import { isAborted } from "./stopped.js";
import type { Workbench } from "./workbench.js";

/** How much the mean loss changes, in nats, and the standard error of that: paired, over the same examples. */
export interface LossChange {
  readonly loss: number;
  readonly error: number;
}

/** What one bit more, or less, at one node does, all others as they are. Absent where there is no such bitwidth. */
export interface SensitivityRow {
  readonly node: string;
  readonly kind: "weight" | "input";
  readonly scheme: Candidate["scheme"];
  readonly bits: number;
  readonly up?: LossChange;
  readonly down?: LossChange;
}

/** What the loss makes of each node's bitwidth; plain data. */
export interface Sensitivity {
  readonly rows: readonly SensitivityRow[];
  /** With all nodes as assigned: mean loss in nats, and the part of the examples whose likeliest label it finds. */
  readonly loss: number;
  readonly accuracy: number;
  readonly examples: number;
  readonly labels: "soft" | "hard";
}

/** Options, checked and complete. */
export interface SensitivityRequest {
  /** How many held-out examples are looked at, at most. */
  readonly examples: number;
  /** "soft": the probabilities that the network gave before quantization; "hard": the labels of the data. */
  readonly labels: "soft" | "hard";
  /** Which changes of a bitwidth are tried. */
  readonly bits: readonly (1 | -1)[];
  readonly signal?: AbortSignal | undefined;
  readonly onProgress?: OnProgress | undefined;
}

/** The bitwidths that schemes have. */
const [LEAST, MOST] = [1, 8];

/**
 * Measures how the loss changes when one node's bitwidth does, its scheme kept where it has that bitwidth and its staircase
 * laid out anew; nothing is trained. The examples are drawn from the held-out data by the plan's seed.
 *
 * Batch normalization goes by the moments of each batch of examples, changed network or not: another bitwidth changes the
 * scale of what a layer gives, which re-estimated averages take back, and which would otherwise be counted as harm.
 *
 * Soft labels are those of the floating-point network: the loss against them varies less than against the true ones. It
 * remains a loss: a distance from the output of the unchanged network would count harmless changes as harm.
 *
 * One compiled function serves all nodes: which bitwidth stands where is an input.
 *
 * @throws AutoqnnError `aborted` when the signal fires.
 */
export async function measureSensitivity(
  bench: Workbench,
  snapshot: Snapshot,
  assignment: Assignment,
  { examples, labels, bits, signal = notebook()?.signal, onProgress = bench.progress }: SensitivityRequest,
): Promise<Sensitivity> {
  const { graph, engine } = bench;
  const lists = neighbours(graph, snapshot, assignment, bits);
  const policy = oneOf(lists);
  const { logits } = program(graph, policy, snapshot.signed);
  const batches = await drawn(bench, examples, labels, signal);
  const step = engine.compile("sensitivity", (inputs) => {
    const said = logits(inputs, "batch");
    return { losses: crossEntropies(said, inputs.y!), correct: countCorrect(said, inputs.y!) };
  });
  const state = stateOf(graph, snapshot, policy);
  const changes = lists.flatMap(({ id, own, others }) =>
    others.map(({ bits }) => ({ id, by: bits - own.bits })),
  );
  const passes = changes.length + 1;
  const begun = performance.now();
  try {
    /** The losses of all examples with one node changed. */
    const pass = async (index: number, change?: (typeof changes)[number]): Promise<Pass> => {
      const chosen = toDevice({ "control/chosen": choice(lists, change) });
      const result: Pass = { losses: [], correct: 0 };
      try {
        for (const batch of batches) {
          const { losses, correct } = await step.run({ ...state, ...chosen, ...batch }, { signal });
          result.losses.push(...(await losses!.data()));
          result.correct += (await correct!.data())[0]!;
          tf.dispose([losses!, correct!]);
        }
      } catch (error) {
        throw isAborted(error) ? stopped(index, passes) : error;
      } finally {
        tf.dispose(chosen);
      }
      const count = result.losses.length;
      const seconds = (performance.now() - begun) / 1000 / (index + 1);
      onProgress({
        ...{ stage: "sensitivity", step: index + 1, steps: passes, epoch: 1, epochs: 1 },
        ...{ loss: mean(result.losses), accuracy: result.correct / count },
        ...{ speed: count / seconds, eta: seconds * (passes - index - 1) },
      });
      return result;
    };
    const base = await pass(0);
    const found = new Map<string, { up?: LossChange; down?: LossChange }>();
    for (const [index, change] of changes.entries()) {
      const { losses } = await pass(index + 1, change);
      const measured = { [change.by > 0 ? "up" : "down"]: paired(losses, base.losses) };
      found.set(change.id, { ...found.get(change.id), ...measured });
    }
    return Object.freeze({
      rows: Object.freeze(
        lists.map(({ id: node, kind, own }) => Object.freeze({ node, kind, ...own, ...found.get(node) })),
      ),
      loss: mean(base.losses),
      accuracy: base.correct / base.losses.length,
      ...{ examples: base.losses.length, labels },
    });
  } finally {
    step.dispose();
    tf.dispose([state, ...batches]);
  }
}

interface Pass {
  readonly losses: number[];
  correct: number;
}

/** A node, what stands there, and what may stand there instead. */
interface Neighbours {
  readonly id: string;
  readonly kind: "weight" | "input";
  readonly own: Candidate;
  readonly others: readonly Candidate[];
}

function neighbours(
  graph: QuantizedGraph,
  snapshot: Snapshot,
  assignment: Assignment,
  changes: readonly number[],
): Neighbours[] {
  return graph.nodes.flatMap((node) => {
    const own = assignment[node.id];
    if (!own) return [];
    const range = rangeOf(node, snapshot.signed[node.id] ?? true);
    const widths = changes.map((by) => own.bits + by).filter((bits) => LEAST <= bits && bits <= MOST);
    const others = widths.map((bits) => ({ scheme: schemeAt(own.scheme, bits, range), bits }));
    return [{ id: node.id, kind: node.kind, own: { scheme: own.scheme, bits: own.bits }, others }];
  });
}

/** One of a node's candidates stands there, whole: the one that the control "chosen" [nodes, width] says. */
function oneOf(lists: readonly Neighbours[]): Policy {
  const candidates = new Map(lists.map(({ id, own, others }) => [id, [own, ...others]]));
  return {
    candidates: ({ id }) => candidates.get(id) ?? [],
    parameters: {},
    mix: (_, { chosen }) => {
      const rows = tf.unstack(chosen!);
      return Object.fromEntries(
        lists.map(({ id }, index) => {
          const p = tf.slice(rows[index]!, 0, candidates.get(id)!.length) as tf.Tensor1D;
          return [id, { p, active: p }];
        }),
      );
    },
  };
}

/** Which candidates stand at the nodes: their own, but for the change. */
function choice(
  lists: readonly Neighbours[],
  change?: { readonly id: string; readonly by: number },
): HostTensor {
  const width = Math.max(...lists.map(({ others }) => others.length + 1));
  const data = new Float32Array(lists.length * width);
  for (const [row, { id, own, others }] of lists.entries()) {
    const other = change?.id === id ? others.findIndex(({ bits }) => bits === own.bits + change.by) : -1;
    data[row * width + other + 1] = 1;
  }
  return { shape: [lists.length, width], dtype: "float32", data };
}

/** Mean difference of two losses of the same examples, and its standard error. */
function paired(losses: readonly number[], base: readonly number[]): LossChange {
  const differences = losses.map((loss, i) => loss - base[i]!);
  const loss = mean(differences);
  const squares = differences.map((difference) => (difference - loss) ** 2);
  const count = differences.length;
  return Object.freeze({ loss, error: Math.sqrt((mean(squares) * count) / Math.max(1, count - 1) / count) });
}

const mean = (values: readonly number[]): number =>
  values.reduce((sum, value) => sum + value, 0) / values.length;

function stopped(done: number, passes: number): AutoqnnError {
  return new AutoqnnError(
    "aborted",
    `The measurement of sensitivity was stopped after pass ${done} of ${passes}.`,
    "Ask again for a whole table; fewer examples take less time.",
  );
}
