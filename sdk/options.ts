import { z } from "zod";
import { AutoqnnError } from "./errors.js";
import { type SearchedScheme, schemes } from "./staircase/schemes.js";
import { ADAM, type Optimizer, SGD } from "./train/optimizers.js";
import type { OnProgress } from "./train/progress.js";
import type { Recipe } from "./train/recipe.js";

const NAMES = Object.keys(schemes) as [SearchedScheme, ...SearchedScheme[]];

const count = z.number().int().positive();
const rate = z.number().positive().finite();
const bitwidth = z.number().int().min(1).max(8);
const scheme = z.enum(NAMES);
const pinned = z.enum([...NAMES, "lsq"]);
const relative = z.string().regex(/^\d+(\.\d+)?x$/, 'a factor such as "16x"') as z.ZodType<`${number}x`>;

/** See `Budget` in graph/budget.ts for units. */
const budget = z
  .strictObject({
    averageBits: z
      .union([
        z.number().min(1).max(32),
        z.strictObject({
          weights: z.number().min(1).max(32).exactOptional(),
          activations: z.number().min(1).max(32).exactOptional(),
        }),
      ])
      .exactOptional(),
    modelSize: z.union([z.number().positive(), relative]).exactOptional(),
    memory: z.union([z.number().positive(), relative]).exactOptional(),
    bitOperations: z.union([z.number().positive(), relative]).exactOptional(),
  })
  .refine((value) => Object.values(value).some((limit) => limit !== undefined), "at least one limit");

const stage = {
  epochs: z.number().positive().optional(),
  steps: count.optional(),
  signal: z.instanceof(AbortSignal).optional(),
  onProgress: z.custom<OnProgress>((value) => typeof value === "function", "a function").optional(),
  checkpoint: z.string().min(1).optional(),
};

const both = <T extends z.ZodType>(list: T) =>
  z.union([list, z.strictObject({ weights: list, activations: list })]);

/** See `Recipe` in train/recipe.ts, which this becomes. */
const recipe = z.strictObject({
  optimizer: z
    .union([
      z.enum(["adam", "sgd"]),
      z.strictObject({
        name: z.literal("sgd"),
        momentum: z.number().min(0).lt(1).default(0.9),
        nesterov: z.boolean().default(false),
      }),
    ])
    .default("adam"),
  weightDecay: z.number().nonnegative().default(0),
  decay: z
    .union([
      z.enum(["cosine", "constant"]),
      z.strictObject({ milestones: z.array(z.number().gt(0).lt(1)).min(1), factor: z.number().gt(0).lt(1) }),
    ])
    .default("cosine"),
  scaleRate: rate.default(1),
  warmup: z.number().int().nonnegative().default(50),
  accumulate: count.default(1),
  clipNorm: rate.optional(),
  labelSmoothing: z.number().min(0).lt(1).default(0),
  averageWeights: z.number().gt(0).lt(1).optional(),
  distillation: z
    .strictObject({ weight: z.number().gt(0).max(1).default(0.5), temperature: rate.default(2) })
    .optional(),
});
const alone = recipe.omit({ distillation: true });

/** How weights are trained, as a user says it. */
export type RecipeOptions = z.input<typeof recipe>;

/**
 * The recipe that the options say.
 *
 * @throws AutoqnnError `bad-option` that names the option, what was expected and what came.
 */
export function recipeOf(options: RecipeOptions | undefined): Recipe {
  const given = checked(recipe, options, "recipe");
  const { optimizer: chosen, weightDecay, ...rest } = given;
  const sgd = chosen === "sgd" ? SGD : chosen;
  const optimizer: Optimizer = sgd === "adam" ? { ...ADAM, weightDecay } : { ...sgd, weightDecay };
  return { ...rest, optimizer };
}

export const PlanOptions = z.strictObject({
  data: z
    .custom<object>(
      (value) => typeof value === "object" && value !== null && "train" in value,
      "{ train, validation?, test? }",
    )
    .optional(),
  seed: z.number().int().nonnegative().default(0),
  batchSize: count.default(128),
  recipe: recipe.prefault({}),
  exclude: z.array(z.string()).default([]),
  pin: z
    .record(z.string(), z.strictObject({ scheme: pinned.exactOptional(), bits: bitwidth.exactOptional() }))
    .default({}),
  perChannel: z.boolean().exactOptional(),
  quantizeInput: z.boolean().default(false),
  recurrentState: z.boolean().default(false),
  attentionProducts: z.boolean().default(false),
  /** "range-aware": inputs that are never negative get unsigned quantizers; "reference": signed ones everywhere. */
  activations: z.enum(["range-aware", "reference"]).default("range-aware"),
});

export const SearchOptions = z.strictObject({
  ...stage,
  granularity: z.enum(["layer", "model"]).default("layer"),
  candidates: both(z.array(scheme).min(1)).default([...NAMES]),
  bits: z.union([bitwidth, z.array(bitwidth).min(1)]).default(2),
  budget: budget.optional(),
  update: z.enum(["together", "turns"]).default("together"),
  temperature: z.tuple([rate, rate]).default([2, 0.2]),
  learningRate: z.strictObject({ weights: rate.default(3e-3), theta: rate.default(0.02) }).prefault({}),
  control: z.boolean().default(true),
  margin: z.number().min(0).max(1).default(0.05),
  trialSteps: count.optional(),
  restart: z.boolean().default(false),
});

export const LearnOptions = z.strictObject({
  ...stage,
  budget: budget.default({ averageBits: 2 }),
  bits: z.tuple([bitwidth, bitwidth]).default([1, 8]),
  start: z.number().min(1).max(8).default(3),
  trialSteps: count.optional(),
  restart: z.boolean().default(false),
  roundings: z
    .array(z.enum(["control", "gamma 1", "gamma 2", "sensitivity"]))
    .min(1)
    .default(["control", "gamma 1", "gamma 2"]),
  learningRate: z.strictObject({ weights: rate.default(1e-2), bits: rate.default(0.01) }).prefault({}),
});

/** Whether each number is less than the one before it. */
const descends = (values: readonly number[]): boolean =>
  values.every((value, i) => i === 0 || value < values[i - 1]!);

const tuning = z.strictObject({
  ...stage,
  reestimate: count.default(100),
  scales: z.boolean().default(true),
  gradient: z
    .strictObject({
      rule: z.enum(["ste", "pwl", "pwl-c"]),
      ratio: z.number().min(0).max(1).default(0.25),
    })
    .default({ rule: "ste", ratio: 0 }),
  learningRate: rate.default(1e-2),
  progressive: z.array(bitwidth).min(1).refine(descends, "bitwidths that descend").optional(),
});

/** See `TuneStageOptions` in train/tune.ts. */
export const TuneOptions = tuning.refine(
  ({ steps, progressive = [] }) => steps === undefined || steps > progressive.length,
  { path: ["steps"], error: "more steps than bitwidths in progressive" },
);

/** See `SensitivityRequest` in train/sensitivity.ts. */
export const MeasureOptions = z.strictObject({
  examples: count.default(1500),
  labels: z.enum(["soft", "hard"]).default("soft"),
  bits: z
    .array(z.union([z.literal(1), z.literal(-1)]))
    .min(1)
    .default([1, -1]),
  signal: stage.signal,
  onProgress: stage.onProgress,
});

/** See `GenerateOptions` in generation.ts. */
export const GenerationOptions = z.strictObject({
  batchNormalization: z.enum(["keep", "fold", "reestimate", "reestimate-and-fold"]).optional(),
  reestimate: count.default(100),
  biasCorrection: z.boolean().optional(),
  signal: stage.signal,
});

export const PretrainOptions = z.strictObject({
  ...stage,
  seed: z.number().int().nonnegative().default(0),
  batchSize: count.default(128),
  recipe: alone.prefault({}),
  learningRate: rate.default(3e-3),
});

/**
 * Checks `value` against a schema and fills in its defaults.
 *
 * @throws AutoqnnError `bad-option` that names the option, what was expected and what came.
 */
export function checked<T extends z.ZodType>(schema: T, value: unknown, where: string): z.output<T> {
  const result = schema.safeParse(value ?? {}, { reportInput: true });
  if (result.success) return result.data;
  const issue = telling(result.error.issues[0]!);
  const path = [where, ...issue.path].join(".");
  const given = issue.input === undefined ? "" : ` Received ${print(issue.input)}.`;
  throw new AutoqnnError("bad-option", `At ${path}: ${issue.message}.${given}`, hint(issue, schema));
}

/** Of a union's branches, the one that got furthest into the value says best what is wrong with it. */
function telling(issue: z.core.$ZodIssue): z.core.$ZodIssue {
  if (issue.code !== "invalid_union") return issue;
  const branches = issue.errors.flatMap((errors) => errors.slice(0, 1));
  const best =
    branches.find(({ code }) => code !== "invalid_type") ?? branches.find(({ path }) => path.length > 0);
  return best ? telling({ ...best, path: [...issue.path, ...best.path] }) : issue;
}

function hint(issue: z.core.$ZodIssue, schema: z.ZodType): string {
  if (issue.code === "unrecognized_keys" && schema instanceof z.ZodObject) {
    return `Options are ${Object.keys(schema.shape).join(", ")}.`;
  }
  if (issue.code === "invalid_value") return `Choose among ${issue.values.join(", ")}.`;
  return "See the option's documentation for its range.";
}

function print(value: unknown): string {
  const text = JSON.stringify(value) ?? String(value);
  return text.length > 60 ? `${text.slice(0, 57)}...` : text;
}
