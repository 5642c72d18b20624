import { load } from "./load.js";
import { save } from "./save.js";

/** Models from files, and to files. */
export const models = { load, save };

export { checkWeights } from "./files/slots.js";
export { layersModel } from "./graphModel/live.js";
