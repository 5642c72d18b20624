import { createRequire } from "node:module";
import type { MimeBundle } from "../../display.js";
import { say } from "./channel.js";

/** What tslab's display functions call with what they show. */
type Write = (
  shown: { readonly data: MimeBundle; readonly transient: { readonly display_id?: string } },
  update?: boolean,
) => void;

const require = createRequire(import.meta.url);

/**
 * What cells import as "tslab": tslab's own module, whose display functions show through this kernel. So notebooks that were
 * written for tslab run here as they are.
 */
export function tslab(): Record<string, unknown> {
  const server = require("tslab/dist/jupyter.js") as { lastWriteDisplayData: Write };
  server.lastWriteDisplayData = ({ data: bundle, transient: { display_id: id } }, update) => {
    if (id === undefined) say({ kind: "display", bundle });
    else say({ kind: update ? "update" : "display", bundle, id });
  };
  return require("tslab");
}
