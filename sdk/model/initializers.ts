import * as tf from "@tensorflow/tfjs";

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
