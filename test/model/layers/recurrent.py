"""Recurrent layers and their cells."""

from cases import Case, Input, graph, write

BOTH = ("keras3", "keras2")
# Words of which the first and the last of some sequences are masked.
WORDS = Input((6,), 0, 3, "int32")


def masked(layer):
    return lambda k, x: layer(k)(k.layers.Embedding(3, 4, mask_zero=True)(x[0]))


def stacked(k, x):
    cells = [k.layers.LSTMCell(3), k.layers.GRUCell(2), k.layers.SimpleRNNCell(4)]
    output, *states = k.layers.RNN(cells, return_sequences=True, return_state=True)(x[0])
    return [output, *[each for state in states for each in (state if isinstance(state, list) else [state])]]


def states(k, x):
    _, h, c = k.layers.LSTM(3, return_state=True)(x[0])
    first = k.layers.LSTM(3, return_sequences=True)(x[1], initial_state=[h, c])
    # A layer behind one with initial states starts from zeros.
    return k.layers.GRU(2, return_sequences=True)(first)


def sequential(k, x):
    # The second layer gets no mask.
    layers = [k.layers.Embedding(3, 4, mask_zero=True, input_shape=(6,)), k.layers.LSTM(3), k.layers.RepeatVector(4), k.layers.GRU(2)]
    return k.Sequential(layers)(x[0])


def layer(kind, *args, **options):
    return lambda k: getattr(k.layers, kind)(*args, **options)


SEQUENCE = [(5, 4)]
CASES = [
    Case("SimpleRNN", layer("SimpleRNN", 3, return_sequences=True), SEQUENCE, BOTH, training=True),
    Case("SimpleRNN without bias, backwards", layer("SimpleRNN", 3, use_bias=False, go_backwards=True, activation="relu", return_sequences=True), SEQUENCE, BOTH),
    Case("LSTM", layer("LSTM", 3), SEQUENCE, BOTH, training=True),
    Case("LSTM unrolled, implementation 1", layer("LSTM", 3, unroll=True, **{"return_sequences": True}), SEQUENCE, BOTH),
    Case("LSTM with its states, without forget bias", layer("LSTM", 3, return_state=True, unit_forget_bias=False, recurrent_activation="tanh"), SEQUENCE, BOTH),
    Case("GRU", layer("GRU", 3, return_sequences=True), SEQUENCE, BOTH, training=True),
    Case("GRU with the reset gate before its kernel", layer("GRU", 3, reset_after=False, return_state=True), SEQUENCE, BOTH),
    Case("GRU without bias", layer("GRU", 3, use_bias=False), SEQUENCE, BOTH),
    Case("RNN of a cell", lambda k: k.layers.RNN(k.layers.GRUCell(3), return_sequences=True), SEQUENCE, BOTH),
    graph("RNN of stacked cells", stacked, SEQUENCE, writers=BOTH),
    graph("states from one layer to another", states, [(5, 4), (3, 4)], writers=BOTH),
    graph("masked SimpleRNN", masked(layer("SimpleRNN", 3, return_sequences=True)), [WORDS], writers=BOTH),
    graph("masked LSTM", masked(layer("LSTM", 3, return_sequences=True, return_state=True)), [WORDS], writers=BOTH),
    graph("masked GRU, backwards", masked(layer("GRU", 3, go_backwards=True, return_sequences=True)), [WORDS], writers=BOTH),
    graph("masked LSTM with zeros at masked steps", masked(layer("LSTM", 3, zero_output_for_mask=True, return_sequences=True)), [WORDS], writers=BOTH),
    graph("masks inside a Sequential", sequential, [WORDS], writers=BOTH),
    graph("masked GRU, last output", masked(layer("GRU", 3)), [WORDS], writers=BOTH),
]

write("recurrent", CASES)
