"""What TensorFlow's profiler counts in a model."""

import tensorflow as tf
from tensorflow.python.profiler.model_analyzer import profile
from tensorflow.python.profiler.option_builder import ProfileOptionBuilder

#: Operations that multiply and add; two operations of floating point are one multiply-accumulate.
PRODUCTS = {"Conv2D", "Conv3D", "DepthwiseConv2dNative", "Conv2DBackpropInput", "MatMul", "BatchMatMulV2"}


def macs(model):
    """Multiply-accumulates of one sample, for a model with one input."""
    [image] = model.inputs
    spec = tf.TensorSpec([1, *image.shape[1:]], image.dtype)
    function = tf.function(lambda x: model(x, training=False), autograph=False)
    options = ProfileOptionBuilder(ProfileOptionBuilder.float_operation()).with_empty_output().build()
    found = profile(function.get_concrete_function(spec).graph, cmd="op", options=options)
    return sum(node.float_ops for node in nodes(found) if node.name in PRODUCTS) / 2


def nodes(node):
    yield node
    for child in node.children:
        yield from nodes(child)
