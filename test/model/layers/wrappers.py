"""Wrappers of layers, and convolutional recurrent layers."""

from cases import Case, Input, graph, write

BOTH = ("keras3", "keras2")
WORDS = Input((6,), 0, 3, "int32")
SEQUENCE = [(5, 4)]


def both(mode, kind="LSTM", **options):
    return lambda k: k.layers.Bidirectional(getattr(k.layers, kind)(3, **options), merge_mode=mode)


def unlike(k):
    back = k.layers.GRU(2, return_sequences=True, go_backwards=True, name="back")
    return k.layers.Bidirectional(k.layers.LSTM(3, return_sequences=True), backward_layer=back)


def masked(layer):
    return lambda k, x: layer(k)(k.layers.Embedding(3, 4, mask_zero=True)(x[0]))


def each(make):
    return lambda k: k.layers.TimeDistributed(make(k))


def encoder(k, x):
    output, *states = k.layers.Bidirectional(k.layers.GRU(2, return_sequences=True, return_state=True))(x[0])
    again = k.layers.Bidirectional(k.layers.GRU(2, return_sequences=True))(x[0], initial_state=states)
    return [output, again, *states]


def words(k, x):
    embedded = k.layers.TimeDistributed(k.layers.Embedding(3, 4))(x[0])
    return k.layers.TimeDistributed(k.layers.LSTM(2))(embedded)


def nested(k):
    inside = k.Input((4,))
    return k.Model(inside, k.layers.Dense(2)(k.layers.Dense(3, activation="relu")(inside)))


def film(kind, **options):
    return lambda k: getattr(k.layers, kind)(2, 2, **options)


CASES = [
    *[Case(f"Bidirectional merged by {mode}", both(mode, return_sequences=True), SEQUENCE, BOTH) for mode in ("concat", "sum", "ave", "mul", None)],
    Case("Bidirectional, last outputs", both("concat", "GRU"), SEQUENCE, BOTH),
    Case("Bidirectional of unlike layers", unlike, SEQUENCE, BOTH),
    graph("Bidirectional with states", encoder, SEQUENCE, writers=BOTH),
    graph("masked Bidirectional", masked(both("concat", "GRU", return_sequences=True)), [WORDS], writers=BOTH),
    graph("masked Bidirectional, last outputs", masked(both("sum")), [WORDS], writers=BOTH),
    Case("TimeDistributed Dense", each(lambda k: k.layers.Dense(3, activation="tanh")), SEQUENCE, BOTH, training=True),
    Case("TimeDistributed Conv2D", each(lambda k: k.layers.Conv2D(2, 3, padding="same")), [(3, 4, 5, 2)], BOTH),
    Case("TimeDistributed of a model", each(nested), SEQUENCE, BOTH),
    graph("TimeDistributed Embedding and LSTM", words, [Input((3, 4), 0, 3, "int32")], writers=BOTH),
    graph("masked TimeDistributed", masked(each(lambda k: k.layers.Dense(3))), [WORDS], writers=BOTH),
    Case("ConvLSTM1D", film("ConvLSTM1D", padding="same", return_sequences=True), [(3, 5, 2)], BOTH),
    Case("ConvLSTM2D", film("ConvLSTM2D", strides=2, return_state=True), [(3, 4, 5, 2)], BOTH, training=True),
    Case("ConvLSTM2D, dilated, backwards", film("ConvLSTM2D", dilation_rate=2, go_backwards=True, padding="same", use_bias=False), [(3, 4, 5, 2)], BOTH),
    Case("ConvLSTM3D", film("ConvLSTM3D", return_sequences=True), [(2, 3, 3, 4, 2)], BOTH),
    Case("Bidirectional ConvLSTM2D", lambda k: k.layers.Bidirectional(k.layers.ConvLSTM2D(2, 2, padding="same")), [(3, 4, 3, 2)], BOTH),
]

write("wrappers", CASES)
