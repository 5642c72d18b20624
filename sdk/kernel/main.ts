// Serves one notebook. What Jupyter starts: it loads nothing of the SDK, so that a notebook opens at once.
import { parseArgs } from "node:util";
import { readConnection } from "./connection.js";
import { serve } from "./kernel.js";

const { values } = parseArgs({
  options: { "connection-file": { type: "string" }, "allow-remote": { type: "boolean" } },
});
try {
  await serve(await readConnection(values["connection-file"] ?? "", values["allow-remote"]));
  process.exit();
} catch (error) {
  console.error(`autoqnn kernel: ${error instanceof Error ? error.message : error}`);
  process.exit(1);
}
