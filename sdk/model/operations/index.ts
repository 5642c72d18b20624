import { ACTIVATION } from "./activation.js";
import { ARITHMETIC } from "./arithmetic.js";
import { BLOCKS } from "./blocks.js";
import { CONVOLUTION } from "./convolution.js";
import { IMAGE } from "./image.js";
import { INDEXING } from "./indexing.js";
import { LINEAR } from "./linear.js";
import { NORMALIZING } from "./normalizing.js";
import { REARRANGING } from "./rearranging.js";
import { REDUCTIONS } from "./reductions.js";
import type { Operations } from "./row.js";
import { SHAPING } from "./shaping.js";

/** Every operation that can be computed, by the name that the dialects translate to. */
export const OPERATIONS: Operations = {
  ...ARITHMETIC,
  ...REDUCTIONS,
  ...SHAPING,
  ...BLOCKS,
  ...INDEXING,
  ...REARRANGING,
  ...LINEAR,
  ...CONVOLUTION,
  ...NORMALIZING,
  ...ACTIVATION,
  ...IMAGE,
};
