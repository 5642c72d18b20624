"""Masks that come into models inside a model, and leave them."""

from cases import Input, graph, write

BOTH = ("keras2", "keras3")

# Words of which the first and the last of some sequences are masked.
WORDS = Input((6,), 0, 3, "int32")


def words(k, name="words"):
    return k.layers.Embedding(3, 4, mask_zero=True, name=name)


def into_sequential(k, x):
    inner = k.Sequential([k.layers.LSTM(3, return_sequences=True), k.layers.Dropout(0.5), k.layers.GRU(2)], name="inner")
    return inner(words(k)(x[0]))


def into_functional(k, x):
    q = k.Input((6, 4), name="q")
    y = k.layers.Dense(4, activation="tanh", name="dense")(q)
    a = k.layers.MultiHeadAttention(2, 3, name="attention")(q, y)
    inner = k.Model(q, k.layers.LSTM(3, name="steps")(a), name="inner")
    return inner(words(k)(x[0]))


def out_of_sequential(k, x):
    inner = k.Sequential([words(k), k.layers.Dense(3, activation="tanh")], name="inner")
    return k.layers.LSTM(2, name="last")(inner(x[0]))


def out_of_functional(k, x):
    q = k.Input((6,), name="q", dtype="int32")
    y = words(k)(q)
    inner = k.Model(q, [k.layers.GRU(3, name="inside")(y), k.layers.ReLU(name="positive")(y)], name="inner")
    vector, sequence = inner(x[0])
    return [vector, k.layers.GRU(2, name="outside")(sequence)]


def through(k, x):
    inner = k.Sequential([k.layers.Dense(3, activation="tanh")], name="inner")
    outer = k.Sequential([inner, k.layers.ReLU()], name="outer")
    return k.layers.GlobalAveragePooling1D(name="mean")(outer(words(k)(x[0])))


def deep(k, x):
    q = k.Input((6,), name="q", dtype="int32")
    first = k.Model(q, k.layers.Dense(4, name="dense")(words(k)(q)), name="first")
    second = k.Sequential([k.Sequential([k.layers.LSTM(3, return_sequences=True)], name="third"), k.layers.GRU(2)], name="second")
    return second(first(x[0]))


def shared(k, x):
    embed = words(k)
    inner = k.Sequential([k.layers.LSTM(3)], name="inner")
    return k.layers.Subtract(name="difference")([inner(embed(x[0])), inner(embed(x[1]))])


def two_at_once(k, x):
    """Of two masks, each goes its own way."""
    inner = k.Sequential([k.layers.LSTM(3, return_sequences=True)], name="inner")
    a, b = inner(words(k, "a")(x[0])), words(k, "b")(x[1])
    return [k.layers.GRU(2, name="of_a")(a), k.layers.GRU(2, name="of_b")(b)]


def none(k, x):
    """A model without masks beside a layer with one."""
    inner = k.Sequential([k.layers.LSTM(3)], name="inner")
    return [k.layers.GRU(2, name="masked")(words(k)(x[0])), inner(x[1])]


def positions(k, x):
    """A sum with a tensor that has no mask."""
    places = k.layers.Embedding(6, 4, name="places")(x[1])
    return k.layers.GRU(2, name="last")(k.layers.Add(name="sum")([words(k)(x[0]), places]))


def merged(kind, **options):
    def build(k, x):
        a, b = words(k, "a")(x[0]), words(k, "b")(x[1])
        return k.layers.GRU(2, name="last")(getattr(k.layers, kind)(name="merged", **options)([a, b]))

    return build


def joined_with_unmasked(k, x):
    return k.layers.GRU(2, name="last")(k.layers.Concatenate(name="joined")([words(k)(x[0]), x[1]]))


def normalized(k, x):
    """Batch normalization measures what is not masked."""
    return k.layers.BatchNormalization(name="normal")(k.layers.Dense(3, use_bias=False, name="dense")(words(k)(x[0])))


def encoder(k, x):
    """A block of a transformer, in Keras 3: scores of words that are masked are no matter of its gradients."""
    y = words(k)(x[0])
    y = k.layers.LayerNormalization(name="first")(k.layers.Add(name="around")([y, k.layers.MultiHeadAttention(2, 3, name="heads")(y, y)]))
    z = k.layers.Dense(4, name="down")(k.layers.Dense(6, activation="gelu", name="up")(y))
    y = k.layers.LayerNormalization(name="second")(k.layers.Add(name="again")([y, z]))
    return k.layers.GlobalAveragePooling1D(name="mean")(y)


CASES = [
    graph("a sum with a tensor without a mask", positions, [WORDS, Input((6,), 0, 6, "int32")], writers=BOTH),
    *[graph(f"masks of {kind}", merged(kind), [WORDS, WORDS], writers=BOTH) for kind in ("Add", "Subtract", "Average")],
    # Keras 3 takes masked values out of these.
    *[graph(f"masks of {kind}", merged(kind), [WORDS, WORDS], writers=("keras2",)) for kind in ("Multiply", "Maximum", "Minimum")],
    graph("masks of Concatenate", merged("Concatenate"), [WORDS, WORDS], writers=BOTH),
    graph("masks of Concatenate in time", merged("Concatenate", axis=1), [WORDS, WORDS], writers=BOTH),
    graph("Concatenate with a tensor without a mask", joined_with_unmasked, [WORDS, [6, 4]], writers=BOTH),
    graph("batch normalization of words", normalized, [WORDS], writers=BOTH, training=True),
    graph("a masked transformer block", encoder, [WORDS]),
    graph("a masked transformer block of Keras 2", encoder, [WORDS], writers=("keras2",), gradients=False),
    graph("a mask into a Sequential", into_sequential, [WORDS], writers=BOTH),
    graph("a mask into a functional model", into_functional, [WORDS]),
    # Keras 2 lets the scores of a query that sees nothing learn.
    graph("a mask into a functional model of Keras 2", into_functional, [WORDS], writers=("keras2",), gradients=False),
    graph("a mask out of a Sequential", out_of_sequential, [WORDS], writers=BOTH),
    graph("a mask out of a functional model", out_of_functional, [WORDS], writers=BOTH),
    graph("a mask through models", through, [WORDS], writers=BOTH),
    graph("a mask made in one model and used deep in another", deep, [WORDS], writers=BOTH),
    graph("a model that two masks come to", shared, [WORDS, WORDS], writers=BOTH),
    graph("two masks, one of them through a model", two_at_once, [WORDS, WORDS], writers=BOTH),
    graph("a model to which no mask comes", none, [WORDS, [6, 4]], writers=BOTH),
]

if __name__ == "__main__":
    write("masks", CASES)
