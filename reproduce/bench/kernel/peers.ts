import { createRequire } from "node:module";
import { dirname, join } from "node:path";
import { BUILT, type Client } from "../../../test/kernel/client.js";

/** A kernel that is measured. */
export interface Peer {
  /** What Node runs; the last option takes the connection file. */
  readonly command: readonly string[];
  /** Interrupts as the kernel's own kernelspec says: by a message or by a signal. */
  interrupt(client: Client): Promise<unknown>;
}

const require = createRequire(import.meta.url);
const tslab = dirname(require.resolve("tslab/package.json"));

/** Our kernel as it is built, and the one whose ideas it goes back to. */
export const PEERS = {
  autoqnn: {
    command: BUILT,
    interrupt: (client) => client.ask("control", "interrupt_request"),
  },
  tslab: {
    command: [join(tslab, "bin/tslab"), "kernel", "--config-path"],
    interrupt: async ({ child }) => child.kill("SIGINT"),
  },
} as const satisfies Record<string, Peer>;

export type Name = keyof typeof PEERS;
export const NAMES = Object.keys(PEERS) as Name[];
