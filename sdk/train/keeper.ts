import { rm } from "node:fs/promises";
import { join } from "node:path";
import { AutoqnnError } from "../errors.js";
import {
  type Checkpoint,
  fingerprint,
  readCheckpoint,
  removeAbandoned,
  writeCheckpoint,
} from "./checkpoint.js";
import type { Stage, Watch } from "./loop.js";
import type { HostTensor } from "./snapshot.js";

/** Raised when what a checkpoint holds, or means, changes: those before it are not continued. */
const FORMAT = 2;

/** Within a long epoch a stage is kept as often as this, or less often where writing would take more than a twentieth. */
const SECONDS = 20;
const SHARE = 1 / 20;

/**
 * Where a stage is kept from which the same stage goes on when it is run again: in the directory of its `checkpoint`, or in the
 * memory of the process.
 *
 * A file is named by everything that determines the stage's result, so that another stage does not find it. While the stage
 * trains there are its last two states; once it has ended there is one, without what only training needs.
 */
export class Keeper {
  readonly directory: string | undefined;
  readonly #examples: readonly object[];
  readonly #initial: Readonly<Record<string, HostTensor>>;
  #named: string | undefined;
  #keptAt = performance.now();
  #took = 0;

  constructor(
    private readonly stage: Stage,
    initial: Readonly<Record<string, HostTensor>>,
    private readonly watch: Watch,
  ) {
    this.directory = watch.checkpoint;
    this.#examples = stage.phases.map(({ source }) => source.examples);
    this.#initial = initial;
  }

  /** Where the stage stood. Throws AutoqnnError `bad-file` for a file that is damaged, or another stage's. */
  async read(): Promise<Checkpoint | undefined> {
    if (this.directory === undefined) return this.watch.memory?.recall(() => this.#key, this.#examples);
    await removeAbandoned(this.directory, this.#file);
    for (const name of [this.#file, this.#before]) {
      const saved = await readCheckpoint(this.directory, name);
      if (saved && saved.meta.stage !== this.#key) throw foreign(join(this.directory, name));
      if (saved) return saved;
    }
    return undefined;
  }

  /** Whether it is time to keep a stage that goes on. */
  due(epochEnded: boolean): boolean {
    if (this.directory === undefined) return false;
    return epochEnded || performance.now() - this.#keptAt > Math.max(SECONDS * 1000, this.#took / SHARE);
  }

  /** Keeps the stage as it stands; `ended` says that it will not train any more. */
  async keep({ tensors, meta }: Checkpoint, ended = false): Promise<void> {
    const checkpoint = { tensors, meta: { ...meta, stage: this.#key } };
    const { directory } = this;
    if (directory === undefined) return this.watch.memory?.keep(this.#key, this.#examples, checkpoint);
    const begun = performance.now();
    if (ended) {
      await writeCheckpoint(directory, this.#file, checkpoint);
      await rm(join(directory, this.#before), { force: true });
      await removeAbandoned(directory, this.#file);
    } else await writeCheckpoint(directory, this.#file, checkpoint, this.#before);
    this.#keptAt = performance.now();
    this.#took = this.#keptAt - begun;
  }

  get #key(): string {
    this.#named ??= stageKey(this.stage, this.#initial);
    return this.#named;
  }

  get #file(): string {
    return `${this.stage.name.replaceAll(" ", "-")}-${this.#key}.safetensors`;
  }

  get #before(): string {
    return this.#file.replace(/\.safetensors$/, ".before.safetensors");
  }
}

/** Names a stage by what determines its result, so that a checkpoint of another plan is never continued. */
function stageKey(stage: Stage, initial: Readonly<Record<string, HostTensor>>): string {
  const { name, steps, batchSize, seed, augment, relaxation, recipe, phases, graph, policy, engine } = stage;
  return fingerprint(
    { FORMAT, name, steps, batchSize, seed, augment, relaxation, recipe },
    [engine.name, engine.device],
    phases.map(({ updates, source }) => [updates, source.identity, source.batchesPerEpoch(batchSize, true)]),
    graph.nodes.map((node) => [node.id, policy.candidates(node), node.channelAxes]),
    [stage.snapshot.signed, policy.identity],
    initial,
  );
}

function foreign(path: string): AutoqnnError {
  return new AutoqnnError(
    "bad-file",
    `Expected the checkpoint of this stage in ${path}, received that of another network, other data or other options.`,
    "Delete the file, or give the plan a directory of its own.",
  );
}
