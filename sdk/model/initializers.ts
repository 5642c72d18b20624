import * as tf from "@tensorflow/tfjs";
import { type Config, isConfig } from "./config.js";
import { type HostArray, tensorOfArray } from "./operations/arguments.js";

type Initializer = Parameters<tf.layers.Layer["addWeight"]>[3];

/**
 * Stands for an initializer whose values would be overwritten at once by those of the file: gives zeros, and is saved
 * as the initializer it stands for. (Drawing an orthogonal matrix of LSTM size takes longer than all else in a load.)
 */
class Deferred extends tf.serialization.Serializable {
  static readonly className = "AutoqnnDeferred";
  readonly #className: string;
  readonly #config: tf.serialization.ConfigDict;

  constructor(args: { original: { className: string; config: tf.serialization.ConfigDict } }) {
    super();
    this.#className = args.original.className;
    this.#config = args.original.config;
  }

  apply(shape: (number | null)[], dtype?: tf.DataType): tf.Tensor {
    return tf.zeros(shape as number[], dtype);
  }

  override getClassName(): string {
    return this.#className;
  }

  override getConfig(): tf.serialization.ConfigDict {
    return this.#config;
  }
}

tf.serialization.registerClass(Deferred);

/** The configuration of an initializer, deferred. */
export function deferred(original: Record<string, unknown>): Record<string, unknown> {
  return { class_name: Deferred.className, config: { original } };
}

/** tfjs's names of Keras's initializers, where they differ. */
const NAMES: Readonly<Record<string, string>> = {
  LecunNormal: "LeCunNormal",
  LecunUniform: "LeCunUniform",
  OrthogonalInitializer: "Orthogonal",
  IdentityInitializer: "Identity",
};

/** The configuration of an initializer that is to draw values, as tfjs reads it. */
export function drawn(original: Record<string, unknown>): Record<string, unknown> {
  const name = String(original.class_name);
  const config: Config = isConfig(original.config) ? original.config : {};
  const { distribution, seed, ...rest } = config;
  return {
    class_name: Object.hasOwn(NAMES, name) ? NAMES[name] : name,
    config: {
      ...rest,
      ...(distribution !== undefined && {
        distribution: distribution === "untruncated_normal" ? "normal" : distribution,
      }),
      // A generator of seeds stands there too.
      ...(typeof seed === "number" && { seed }),
    },
  };
}

const GIVEN = new WeakSet<object>();

/** A variable that `make` adds with these values, so that no file need hold them; zeros where there are none. */
export function given(
  values: HostArray | undefined,
  make: (start: Initializer) => tf.LayerVariable,
): tf.LayerVariable {
  const start = { apply: (shape: number[]) => (values ? tensorOfArray(values) : tf.zeros(shape)) };
  const variable = make(start as unknown as Initializer);
  if (values) GIVEN.add(variable);
  return variable;
}

/** Whether the variable has its values from the topology itself. */
export const isGiven = (variable: object): boolean => GIVEN.has(variable);
