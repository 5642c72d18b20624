/**
 * The axes of a weight that number the output channels together, counted from the last, -1: by class of its layer and by its
 * name there. Every value of such a weight is a factor of one output channel alone.
 */
const AXES: Readonly<Record<string, Readonly<Record<string, readonly number[]>>>> = {
  Dense: { kernel: [-1] },
  Conv1D: { kernel: [-1] },
  Conv2D: { kernel: [-1] },
  Conv3D: { kernel: [-1] },
  // Of a transposed convolution the last axis is the input.
  Conv1DTranspose: { kernel: [-2] },
  Conv2DTranspose: { kernel: [-2] },
  Conv3DTranspose: { kernel: [-2] },
  // Output channel c m + i is the i-th of the m that input channel c makes.
  DepthwiseConv1D: { depthwise_kernel: [-2, -1] },
  DepthwiseConv2D: { depthwise_kernel: [-2, -1] },
  SeparableConv1D: { depthwise_kernel: [-2, -1], pointwise_kernel: [-1] },
  SeparableConv2D: { depthwise_kernel: [-2, -1], pointwise_kernel: [-1] },
  SimpleRNN: { kernel: [-1], recurrent_kernel: [-1] },
  GRU: { kernel: [-1], recurrent_kernel: [-1] },
  LSTM: { kernel: [-1], recurrent_kernel: [-1] },
};

/** The axes of the output channels of a weight called `name` in a layer of this class; undefined where that is not known. */
export function channelAxes(className: string, name: string): readonly number[] | undefined {
  const row = Object.hasOwn(AXES, className) ? AXES[className]! : {};
  return Object.hasOwn(row, name) ? row[name] : undefined;
}
