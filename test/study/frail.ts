import { autoqnn } from "../../sdk/autoqnn.js";
import { study } from "../../sdk/index.js";
import { blobData, smallNetwork } from "../plan/blobs.js";

const data = blobData();

/** A study whose second cell kills its process, as a lack of memory does. Nothing is trained. */
export default study(({ network }: { network: number }) => {
  if (network === 2) process.kill(process.pid, "SIGKILL");
  return autoqnn(smallNetwork(network), { data });
}).over({ network: [1, 2, 3, 4] });
