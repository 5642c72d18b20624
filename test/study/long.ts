import { autoqnn } from "../../sdk/autoqnn.js";
import { study } from "../../sdk/index.js";
import { blobData, smallNetwork } from "../plan/blobs.js";

/** A study of four cells that trains long enough to be stopped within a cell. */
export default study(
  autoqnn(smallNetwork(), { data: blobData(), batchSize: 32 })
    .searchSchemes({ steps: 3, control: false })
    .fineTune({ steps: 60, reestimate: 1 }),
).over({ granularity: ["layer", "model"], seed: [0, 1] });
