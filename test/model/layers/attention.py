"""Attention, einsum and embeddings."""

from cases import Case, Input, graph, write

BOTH = ("keras3", "keras2")
Q, V = (3, 4), (5, 4)
MASK = Input((3, 5), 0, 2, "bool")
WORDS = Input((6,), 0, 3, "int32")


def heads(*args, **options):
    """Self-attention, or of query, value and perhaps key."""
    call = options.pop("call", {})

    def build(k, x):
        layer = k.layers.MultiHeadAttention(*args, **options)
        given = x if len(x) > 1 else [x[0], x[0]]
        return layer(*given, **call)

    return build


def with_mask(k, x):
    return k.layers.MultiHeadAttention(2, 3)(x[0], x[1], attention_mask=x[2])


def grouped(k, x):
    return k.layers.GroupQueryAttention(3, 4, 2)(x[0], x[1], use_causal_mask=True)


def gated(k, x):
    return k.layers.GroupQueryAttention(3, 4, 2, use_gate=True, use_bias=False, sliding_window=2)(x[0], x[0], return_attention_scores=True)


def words(layer):
    def build(k, x):
        y = k.layers.Embedding(3, 4, mask_zero=True)(x[0])
        return layer(k, y)

    return build


def crossed(k, x):
    query = k.layers.Embedding(3, 4, mask_zero=True)(x[0])
    value = k.layers.Embedding(3, 4, mask_zero=True)(x[1])
    return k.layers.MultiHeadAttention(2, 3)(query, value)


def scored(kind, call={}, **options):
    return lambda k, x: getattr(k.layers, kind)(**options)(x, **call)


def einsum(equation, shape, **options):
    return lambda k: k.layers.EinsumDense(equation, output_shape=shape, **options)


# Keras 2 calls it so too, but its layer lies elsewhere.
CASES = [
    Case("EinsumDense", einsum("ab,bc->ac", 3, bias_axes="c", activation="relu"), [(4,)], BOTH),
    Case("EinsumDense over a sequence", einsum("...x,xy->...y", 3, bias_axes="y"), [(5, 4)], BOTH),
    Case("EinsumDense to heads", einsum("abc,cde->abde", (None, 2, 3), bias_axes="de"), [(5, 4)], BOTH),
    Case("EinsumDense from heads", einsum("abcd,cde->abe", (None, 3)), [(5, 2, 4)], BOTH),
    Case("EinsumDense with a kernel per position", einsum("abc,bcd->adb", (3, 5), bias_axes="b"), [(5, 4)], BOTH),
    Case("EinsumDense with dimensions last", einsum("ab...,bc->ac...", 3), [(4, 5, 2)], BOTH),
    graph("self-attention", heads(2, 3), [V], writers=BOTH, training=True),
    graph("attention of query, value and key", heads(2, 3, value_dim=5, output_shape=6), [Q, V, (5, 3)], writers=BOTH),
    graph("attention without bias, causal", heads(2, 3, use_bias=False, call={"use_causal_mask": True}), [V], writers=BOTH),
    graph("attention with its scores", heads(2, 3, call={"return_attention_scores": True}), [Q, V], writers=BOTH),
    graph("attention with a mask", with_mask, [Q, V, MASK], writers=BOTH),
    graph("attention over two dimensions", heads(2, 3, attention_axes=(2, 3)), [(2, 3, 2, 4)], writers=BOTH),
    graph("attention over the second dimension", heads(2, 3, attention_axes=(2,), output_shape=(2, 3)), [(2, 3, 4)], writers=BOTH),
    graph("grouped queries", grouped, [Q, V]),
    graph("grouped queries with gates", gated, [V]),
    graph("masked self-attention", words(lambda k, y: k.layers.MultiHeadAttention(2, 3)(y, y)), [WORDS]),
    # Keras 2 lets the scores of a query that sees nothing learn.
    graph("masked self-attention of Keras 2", words(lambda k, y: k.layers.MultiHeadAttention(2, 3)(y, y)), [WORDS], writers=("keras2",), gradients=False),
    graph("masked self-attention, causal", words(lambda k, y: k.layers.MultiHeadAttention(2, 3)(y, y, use_causal_mask=True)), [WORDS]),
    graph("masked attention of another sequence", crossed, [WORDS, Input((4,), 0, 3, "int32")]),
    graph("Attention", scored("Attention"), [Q, V], writers=BOTH),
    graph("Attention with a scale and a key", scored("Attention", use_scale=True, call={"return_attention_scores": True}), [Q, V, (5, 4)], writers=BOTH),
    graph("Attention by concatenation", scored("Attention", score_mode="concat", use_scale=True, call={"use_causal_mask": True}), [Q, V], writers=BOTH),
    graph("masked Attention", words(lambda k, y: k.layers.Attention()([y, y])), [WORDS], writers=BOTH),
    graph("AdditiveAttention", scored("AdditiveAttention"), [Q, V], writers=BOTH),
    graph("AdditiveAttention without scale", scored("AdditiveAttention", use_scale=False), [Q, V], writers=BOTH),
    Case("Embedding", lambda k: k.layers.Embedding(7, 3), [Input((2, 4), 0, 7, "int32")], BOTH),
]

write("attention", CASES)
