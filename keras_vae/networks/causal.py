"""A transformer that looks at what is before each place of a series of integers, and at no more."""

import keras
from keras import layers, ops

from keras_vae import arguments

# As the embeddings of Keras begin.
_SMALL = 0.05


@keras.saving.register_keras_serializable(package="keras_vae")
class Before(layers.Layer):
    """Vectors of the integer before each place, and of the place itself, which are learned.

    Args:
        num_codes: Int. The integers are from 0 to one less.
        width: Int. Numbers a vector.

    Input shape:
        `[batch, length]`, integers.

    Output shape:
        `[batch, length, width]`; at the first place there is nothing but the vector of the place.
    """

    def __init__(self, num_codes: int, width: int, **kwargs):
        super().__init__(**kwargs)
        self.num_codes = arguments.count("num_codes", num_codes)
        self.width = arguments.count("width", width)

    def build(self, input_shape):
        """Makes the vectors."""
        start = keras.initializers.RandomUniform(-_SMALL, _SMALL)
        self.codes = self.add_weight(
            shape=(self.num_codes, self.width), initializer=start, name="codes"
        )
        self.places = self.add_weight(
            shape=(input_shape[1], self.width), initializer=start, name="places"
        )

    def call(self, inputs):
        """Adds both up."""
        codes = ops.take(self.codes, inputs[:, :-1], axis=0)
        return ops.pad(codes, [[0, 0], [1, 0], [0, 0]]) + self.places

    def at(self, place, last):
        """The vectors of one place alone, which are what the whole layer has there.

        Args:
            place: Int scalar, from 0.
            last: Integers before it, `[batch]`; at the first place they count for nothing.

        Returns:
            `[batch, 1, width]`.
        """
        codes = ops.take(self.codes, last, axis=0)
        codes = ops.where(place > 0, codes, ops.zeros_like(codes))
        vectors = codes + ops.take(self.places, place, axis=0)
        return ops.cast(vectors, self.compute_dtype)[:, None]

    def compute_output_shape(self, input_shape):
        """A vector for each integer."""
        return (*input_shape, self.width)

    def compute_output_spec(self, inputs):
        """Vectors are floating point, whatever the integers are."""
        return keras.KerasTensor(self.compute_output_shape(inputs.shape), self.compute_dtype)

    def get_config(self) -> dict:
        """The constructor's arguments."""
        return {**super().get_config(), "num_codes": self.num_codes, "width": self.width}


def causal_transformer(
    length: int,
    num_codes: int,
    width: int = 128,
    depth: int = 3,
    num_heads: int = 4,
    activation="gelu",
    name: str = "causal_transformer",
) -> keras.Model:
    """A causal transformer: for each place of a series logits of its integer, given those before.

    Blocks of self-attention to places before and of two dense layers, each behind a layer
    normalisation and added to what it is given (Vaswani et al., "Attention is all you need", 2017;
    Radford et al., "Language models are unsupervised multitask learners", 2019, section 2.3). The
    last layer begins at zeros: all integers are equally probable at first.

    Args:
        length: Int. Places of a series.
        num_codes: Int. The integers are from 0 to one less.
        width: Int. Numbers a place; a multiple of `num_heads`. Defaults to `128`.
        depth: Int. Blocks. Defaults to `3`.
        num_heads: Int. Heads of attention a block. Defaults to `4`.
        activation: Of the dense layers. Defaults to `"gelu"`.
        name: Name of the model. Defaults to `"causal_transformer"`.

    Returns:
        `int [batch, length] -> float32 [batch, length, num_codes]`; what is at one place depends on
        the integers at places before it alone.

    Raises:
        ValueError: If an argument is invalid.
    """
    width, num_heads = arguments.count("width", width), arguments.count("num_heads", num_heads)
    if width % num_heads:
        raise arguments.invalid("width", f"a multiple of num_heads={num_heads}", width)
    inputs = layers.Input((arguments.count("length", length),), dtype="int32", name="codes")
    features = Before(num_codes, width, name="before")(inputs)
    for index in range(arguments.count("depth", depth)):
        normalised = layers.LayerNormalization(name=f"attention_{index}_norm")(features)
        attention = layers.MultiHeadAttention(
            num_heads, width // num_heads, name=f"attention_{index}"
        )
        attended = attention(normalised, normalised, use_causal_mask=True)
        features = layers.Add(name=f"attended_{index}")([features, attended])
        inner = layers.LayerNormalization(name=f"hidden_{index}_norm")(features)
        inner = layers.Dense(4 * width, activation, name=f"hidden_{index}")(inner)
        inner = layers.Dense(width, name=f"hidden_{index}_out")(inner)
        features = layers.Add(name=f"block_{index}")([features, inner])
    features = layers.LayerNormalization(name="norm")(features)
    logits = layers.Dense(num_codes, kernel_initializer="zeros", dtype="float32", name="logits")(
        features
    )
    return keras.Model(inputs, logits, name=name)


class OneByOne:
    """A causal transformer that is asked for one place of a series after the other.

    What a place is to those after it, its keys and values, is kept, so that a series costs as much
    as one pass of the network, and not as many as it has places.

    Args:
        network: What `causal_transformer` returns.
    """

    def __init__(self, network: keras.Model):
        self._layer = network.get_layer
        self._length = network.input_shape[1]
        names = [layer.name for layer in network.layers]
        self._blocks = [name for name in names if name.removeprefix("attention_").isdigit()]

    def start(self, batch_size) -> list:
        """The memory of nothing yet: keys and values of each block, zeros of their shapes."""
        attentions = [self._layer(name) for name in self._blocks]
        return [
            ops.zeros(
                (batch_size, self._length, layer.num_heads, layer.key_dim), layer.compute_dtype
            )
            for layer in attentions
            for _ in ("keys", "values")
        ]

    def step(self, place, last, memory: list):
        """The logits of one place.

        Args:
            place: Int scalar, from 0, one after the other.
            last: The integer before it, `[batch]`.
            memory: What `start` or the step before gave.

        Returns:
            `[batch, num_codes]`, float32, and the memory of this place, too.
        """
        layer, places = self._layer, ops.arange(self._length)
        here, seen = (places == place)[:, None, None], (places <= place)[None, None, None]
        features, kept = layer("before").at(place, last), []
        for index, name in enumerate(self._blocks):
            attention = layer(name)
            normalised = layer(f"{name}_norm")(features)
            new = attention.key_dense(normalised), attention.value_dense(normalised)
            old = memory[2 * index : 2 * index + 2]
            keys, values = (ops.where(here, *pair) for pair in zip(new, old, strict=True))
            kept += [keys, values]
            attended = ops.dot_product_attention(
                attention.query_dense(normalised), keys, values, mask=seen
            )
            features = features + attention.output_dense(attended)
            block = name.removeprefix("attention_")
            inner = layer(f"hidden_{block}")(layer(f"hidden_{block}_norm")(features))
            features = features + layer(f"hidden_{block}_out")(inner)
        return layer("logits")(layer("norm")(features))[:, 0], kept
