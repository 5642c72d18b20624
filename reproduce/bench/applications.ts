// One step of QSS and one of QPL on each of twelve Keras Applications, read from their topologies: that it goes, and how
// long it takes. Run: node --import tsx reproduce/bench/applications.ts [names] (topologies in ../shared/reference)
import { readFile } from "node:fs/promises";
import { fileURLToPath } from "node:url";
import { EDGES, stepOf } from "./applications/step.js";

const TOPOLOGIES = fileURLToPath(new URL("../../../shared/reference/topologies/", import.meta.url));

const chosen = process.argv.slice(2);
console.log("model              edge   load s   QSS s   QPL s   QSS loss   QPL loss");
for (const [name, edge] of Object.entries(EDGES)) {
  if (chosen.length > 0 && !chosen.includes(name)) continue;
  const { modelTopology } = JSON.parse(await readFile(`${TOPOLOGIES}${name}.json`, "utf8"));
  const { seconds, losses } = await stepOf(modelTopology, edge);
  const times = [seconds.load, seconds.search, seconds.learn].map((value) => value.toFixed(1).padStart(8));
  const values = [losses.search, losses.learn].map((value) => value.toFixed(3).padStart(11));
  console.log(`${name.padEnd(18)}${String(edge).padStart(5)} ${times.join("")}${values.join("")}`);
}
