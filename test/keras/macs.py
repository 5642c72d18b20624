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
    return count(function.get_concrete_function(spec).graph) / 2


def count(graph):
    """Operations of floating point of the products in a graph, and in the functions that it calls."""
    options = ProfileOptionBuilder(ProfileOptionBuilder.float_operation()).with_empty_output().build()
    own = sum(node.float_ops for node in nodes(profile(graph, cmd="op", options=options)) if node.name in PRODUCTS)
    calls = [op for op in graph.get_operations() if op.type in ("PartitionedCall", "StatefulPartitionedCall")]
    # Keras leaves grouped convolutions on a processor to XLA, in a function of their own.
    return own + sum(count(graph._get_function(call.get_attr("f").name).graph) for call in calls)


def nodes(node):
    yield node
    for child in node.children:
        yield from nodes(child)
