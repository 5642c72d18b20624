import * as tf from "@tensorflow/tfjs";
import type { LayerClasses } from "./index.js";
import { closed, KerasLayer, type LayerArgs } from "./layer.js";
import { layoutOf } from "./spatial.js";

interface FlattenConfig extends LayerArgs {
  readonly dataFormat?: string;
}

/** All dimensions but the batch as one, the channels last. */
class Flatten extends KerasLayer<FlattenConfig> {
  static readonly className = "Flatten";

  protected override compute(x: tf.Tensor): tf.Tensor {
    const spatial = Array.from({ length: Math.max(x.rank - 2, 0) }, (_, i) => i + 2);
    const first = layoutOf(this.config.dataFormat).first && x.rank > 2;
    const size = x.shape.slice(1).reduce((a, b) => a * b, 1);
    return tf.reshape(first ? tf.transpose(x, [0, ...spatial, 1]) : x, [x.shape[0]!, size]);
  }

  override computeOutputShape([batch, ...rest]: tf.Shape): tf.Shape {
    const open = rest.includes(null);
    return [batch!, open ? null : closed(rest).reduce((a, b) => a * b, 1)];
  }
}

export const FLATTEN: LayerClasses = { Flatten } as unknown as LayerClasses;
