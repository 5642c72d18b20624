import { dirname, join } from "node:path";
import { fileURLToPath } from "node:url";
import { pythonOf as made } from "../../../sdk/engine/native/setup/environment.mjs";

/** The peers' Python environments: what is pinned, what must be importable in the end, and the disk space that takes. */
const ENVIRONMENTS = {
  tensorflow: { requirements: "requirements-tensorflow.txt", imports: "tensorflow, tf_keras", bytes: 3e9 },
  pytorch: {
    requirements: "requirements-pytorch.txt",
    imports: "torch, torchvision, brevitas.nn",
    bytes: 9e9,
  },
} as const;

export type EnvironmentName = keyof typeof ENVIRONMENTS;

const here = dirname(fileURLToPath(import.meta.url));

/** What every Python worker is started with: it finds its side of the turns, and leaves nothing beside it. */
export const PYTHON = {
  PYTHONPATH: join(here, "..", "peers"),
  PYTHONDONTWRITEBYTECODE: "1",
} as const;

/**
 * The Python of a peer's environment, which is made first where it is not there yet.
 *
 * Throws Trouble that says in a sentence why it cannot be made.
 */
export function pythonOf(name: EnvironmentName, say: (line: string) => void): Promise<string> {
  const { requirements, ...rest } = ENVIRONMENTS[name];
  return made({ ...rest, name: `bench/${name}`, requirements: join(here, requirements) }, say);
}
