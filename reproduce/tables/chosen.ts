import { figures } from "../../sdk/index.js";
import { type Column, table } from "../../sdk/table.js";
import type { Chosen, Experiment, Extent, Found, Outcome } from "../experiment.js";
import { NAMES } from "../methods/names.js";
import { shown } from "./columns.js";
import { type Group, groupOf, missingNote, type Place, requestsOf } from "./group.js";

/** The schemes that the search alone chooses, and what the whole chain makes of schemes and bits. */
const SHOWN = [NAMES.search, NAMES.chain];

const placesOf = ({ bits }: Extent, network: string): Place[] =>
  SHOWN.map((method) => ({ network, method, bits: bits[0]! }));

/** Schemes and bits that were chosen for every layer, with every seed. */
export const chosen: Experiment = {
  number: 5,
  name: "chosen",
  title: ({ title }) => `Table 5. Chosen schemes and bits: ${title}`,
  requests: (scale) => scale.networks.flatMap((network) => requestsOf(scale, placesOf(scale, network))),
  render(scale, found) {
    const networks = scale.networks.map((network) => ({ network, groups: groupsOf(scale, found, network) }));
    return {
      tables: networks.flatMap(({ network, groups }) => [
        {
          caption: `${network} at ${scale.bits[0]} bits: what stands at every node, seed by seed`,
          table: table(nodesOf(groups), nodeColumns(scale, groups)),
        },
        {
          caption: `${network} at ${scale.bits[0]} bits: how many nodes have each scheme, over all seeds`,
          table: table(countsOf(groups), countColumns()),
        },
      ]),
      notes: [
        ...networks.flatMap(({ network, groups }) =>
          groups.flatMap((group) => [...keptNote(network, group), ...agreementNote(network, group)]),
        ),
        ...missingNote(chosen.requests(scale), found),
      ],
      figures: networks.flatMap(({ network, groups }) => groups.flatMap((group) => figureOf(network, group))),
    };
  },
};

const groupsOf = (scale: Extent, found: Found, network: string): Group[] =>
  placesOf(scale, network).map((place) => groupOf(scale, found, place));

const hasNodes = (outcome: Outcome): outcome is Outcome & { readonly nodes: readonly Chosen[] } =>
  outcome.nodes !== undefined;

/** All nodes of a network, in its order: of whichever outcome tells. */
const nodesOf = (groups: readonly Group[]): readonly Chosen[] =>
  groups.flatMap(({ outcomes }) => outcomes.filter(hasNodes))[0]?.nodes ?? [];

/** What stands at a node by each method, one after the other of the seeds. */
function nodeColumns({ seeds }: Extent, groups: readonly Group[]): Column<Chosen>[] {
  return [
    { title: "node", value: ({ id }) => id },
    { title: "kind", value: ({ kind }) => kind },
    { title: "values", value: ({ elements }) => elements },
    ...groups.map(
      (group): Column<Chosen> => ({
        title: group.method,
        value: ({ id }) => {
          const own = seeds.map((seed) => {
            const outcome = group.outcomes.find((other) => other.seed === seed);
            const node = outcome?.nodes?.find((other) => other.id === id);
            return node && `${node.scheme} ${node.bits}`;
          });
          return own.some((name) => name !== undefined) ? own.map(shown).join(", ") : shown(undefined);
        },
      }),
    ),
  ];
}

interface Count {
  readonly method: string;
  readonly scheme: string;
  readonly weights: number;
  readonly inputs: number;
  readonly meanBits: number;
}

function countsOf(groups: readonly Group[]): Count[] {
  return groups.flatMap(({ method, outcomes }) => {
    const nodes = outcomes.filter(hasNodes).flatMap((outcome) => outcome.nodes);
    return [...new Set(nodes.map(({ scheme }) => scheme))]
      .map((scheme) => {
        const own = nodes.filter((node) => node.scheme === scheme);
        return {
          ...{ method, scheme },
          weights: own.filter(({ kind }) => kind === "weight").length,
          inputs: own.filter(({ kind }) => kind === "input").length,
          meanBits: own.reduce((sum, { bits }) => sum + bits, 0) / own.length,
        };
      })
      .toSorted((a, b) => b.weights + b.inputs - (a.weights + a.inputs));
  });
}

function countColumns(): Column<Count>[] {
  return [
    { title: "method", value: ({ method }) => method },
    { title: "scheme", value: ({ scheme }) => scheme },
    { title: "weights", unit: "nodes", value: ({ weights }) => weights },
    { title: "inputs", unit: "nodes", value: ({ inputs }) => inputs },
    { title: "mean bitwidth of these nodes", unit: "bit", digits: 2, value: ({ meanBits }) => meanBits },
  ];
}

/** Which contenders the stages kept, with which seed. */
function keptNote(network: string, { method, outcomes }: Group): string[] {
  const kept = outcomes.flatMap(({ chosen: name, seed }) => (name ? [`seed ${seed}: ${name}`] : []));
  return kept.length > 0 ? [`${network}, ${method}: its stages kept ${kept.join("; ")}.`] : [];
}

/** At how many nodes all seeds agree. */
function agreementNote(network: string, { method, outcomes }: Group): string[] {
  const runs = outcomes.filter(hasNodes).map(({ nodes }) => new Map(nodes.map((node) => [node.id, node])));
  const [first, ...others] = runs;
  if (!first || others.length === 0) return [];
  const ids = [...first.keys()];
  const agreeing = (same: (a: Chosen, b: Chosen) => boolean): number =>
    ids.filter((id) =>
      others.every((run) => {
        const other = run.get(id);
        return other !== undefined && same(first.get(id)!, other);
      }),
    ).length;
  const scheme = agreeing((a, b) => a.scheme === b.scheme);
  const bits = agreeing((a, b) => a.bits === b.bits);
  return [
    `${network}, ${method}: ${runs.length} seeds agree on the scheme of ${scheme} of ${ids.length} nodes and on the bits of ${bits}.`,
  ];
}

/** Every node of the network with the least validation loss. */
function figureOf(network: string, { method, outcomes }: Group) {
  const best = outcomes.filter(hasNodes).toSorted((a, b) => a.validation.loss - b.validation.loss)[0];
  if (!best) return [];
  const { data, layout } = figures.bitsPerNode(best.nodes);
  const title = { ...(layout.title as object), text: `${network}, ${method}` };
  return [
    {
      name: `chosen-${network}-${method === NAMES.search ? "search" : "chain"}`,
      caption: `${network}, ${method}: scheme and bitwidth of every node, of seed ${best.seed}, which has the least validation loss.`,
      figure: { data, layout: { ...layout, title } },
    },
  ];
}
