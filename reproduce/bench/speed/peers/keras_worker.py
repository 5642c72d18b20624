"""TensorFlow's rows: FP32 and QKeras, each a Keras model in a training step under tf.function."""

from typing import Callable, NamedTuple

import tensorflow as tf

from worker import Network, Training, serve

BITS = 2


class Layers(NamedTuple):
    convolution: Callable
    dense: Callable
    activation: Callable
    # What stands on the input of the dense layer.
    before_dense: Callable


def resnet(name: str, image: int, classes: int, layers: Layers) -> tf.keras.Model:
    """`classes` logits; shortcuts that change the shape are 1x1 convolutions."""
    large = name == "resnet18"
    widths = [64, 128, 256, 512] if large else [16, 32, 64]

    def normalized(x, filters: int, kernel: int, strides: int):
        x = layers.convolution(filters, kernel, strides=strides, padding="same", use_bias=False)(x)
        return tf.keras.layers.BatchNormalization()(x)

    inputs = tf.keras.Input((image, image, 3))
    x = layers.activation()(normalized(inputs, widths[0], 7 if large else 3, 2 if large else 1))
    if large:
        x = tf.keras.layers.MaxPooling2D(3, strides=2, padding="same")(x)
    for group, width in enumerate(widths):
        for block in range(2 if large else 3):
            strides = 2 if group > 0 and block == 0 else 1
            inner = layers.activation()(normalized(x, width, 3, strides))
            outer = normalized(inner, width, 3, 1)
            shortcut = normalized(x, width, 1, strides) if strides > 1 or x.shape[-1] != width else x
            x = layers.activation()(tf.keras.layers.Add()([outer, shortcut]))
    x = layers.before_dense(tf.keras.layers.GlobalAveragePooling2D()(x))
    return tf.keras.Model(inputs, layers.dense(classes)(x))


def training(network: Network, layers: Layers, versions: dict[str, str]) -> Training:
    tf.config.threading.set_intra_op_parallelism_threads(network.threads)
    tf.random.set_seed(0)
    model = resnet(network.name, network.image, network.classes, layers)
    optimizer = tf.keras.optimizers.Adam()
    entropy = tf.keras.losses.SparseCategoricalCrossentropy(from_logits=True)
    x = tf.random.uniform((network.batch, network.image, network.image, 3))
    y = tf.random.uniform((network.batch,), maxval=network.classes, dtype=tf.int32)

    @tf.function
    def update(x, y):
        with tf.GradientTape() as tape:
            loss = entropy(y, model(x, training=True))
        gradients = tape.gradient(loss, model.trainable_variables)
        optimizer.apply_gradients(zip(gradients, model.trainable_variables))
        return loss

    return Training(lambda: update(x, y).numpy(), {"tensorflow": tf.__version__, **versions})


def floating(network: Network) -> Training:
    layers = Layers(tf.keras.layers.Conv2D, tf.keras.layers.Dense, tf.keras.layers.ReLU, lambda x: x)
    return training(network, layers, {})


def one_scheme(network: Network) -> Training:
    import qkeras

    weight = dict(kernel_quantizer=qkeras.quantized_bits(BITS, 0, 1, alpha=1))

    def activation():
        return qkeras.QActivation(qkeras.quantized_relu(BITS))

    layers = Layers(
        convolution=lambda *arguments, **options: qkeras.QConv2D(*arguments, **options, **weight),
        dense=lambda units: qkeras.QDense(units, **weight),
        activation=activation,
        before_dense=lambda x: activation()(x),
    )
    return training(network, layers, {"qkeras": qkeras.__version__})


serve({"function": floating, "qkeras": one_scheme})
