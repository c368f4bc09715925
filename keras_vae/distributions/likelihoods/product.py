"""Columns of several kinds: a likelihood for each group of them."""

from collections.abc import Iterable, Mapping

import keras
import tensorflow as tf
import tensorflow_probability as tfp
from tensorflow_probability import distributions as tfd

from keras_vae import arguments
from keras_vae.distributions.likelihoods.likelihood import Likelihood, check_one_array
from keras_vae.distributions.likelihoods.named import get_likelihood


@keras.saving.register_keras_serializable(package="keras_vae")
class Product(Likelihood):
    """p(x|z) = prod_g p_g(x_g|z): every group of the last axis's columns has its own likelihood.

    What each contributes is logged as `reconstruction_loss_<name>`, and `reconstruction_loss` is
    their sum. The last axis is that of a table's columns, or of an image's channels.

    The decoder returns one array, the parameters of one group after the other, in the order of
    `groups`: give its builder `likelihood=`, and it has that size.

    Args:
        groups: `{name: (likelihood, columns)}`. A likelihood is a name or a `Likelihood`; columns
            are an integer, a sequence of them, a `range`, or a `slice` with an end. Every column of
            the events belongs to exactly one group.

    Raises:
        ValueError: If a name, a likelihood or columns are invalid, a column is in two groups or in
            none, or, once the events are known, there are more or fewer of them.

    Example:
    >>> likelihood = keras_vae.distributions.Product({
    ...     "age": (keras_vae.distributions.StudentT(), 0),
    ...     "visits": ("poisson", 1),
    ...     "colour": ("categorical", range(2, 5)),
    ... })
    """

    def __init__(self, groups: Mapping, **kwargs):
        super().__init__(**kwargs)
        if not isinstance(groups, Mapping) or not groups:
            expected = "a dict of likelihoods and their columns, {name: (likelihood, columns)}"
            raise arguments.invalid("groups", expected, groups)
        self.parts, self.columns = {}, {}
        for name, group in groups.items():
            if not isinstance(name, str) or not name or "/" in name:
                raise arguments.invalid("groups", "names without '/' as its keys", name)
            if not isinstance(group, list | tuple) or len(group) != 2:
                raise arguments.invalid(f"groups['{name}']", "(likelihood, columns)", group)
            self.parts[name] = get_likelihood(group[0])
            self.columns[name] = _indices(name, group[1])
        _check_each_once(self.columns)

    def parameters_shape(self, event_shape):
        """The parameters of all groups, on the last axis."""
        return *event_shape[:-1], sum(self._sizes(event_shape))

    def build(self, input_shape):
        """Builds the likelihood of every group."""
        for name, shape in self._shapes(input_shape[1:]).items():
            if not self.parts[name].built:
                self.parts[name].build((None, *shape))
        self.built = True

    def distribution(self, parameters) -> tfd.Distribution:
        """p(x|z) from the parameters of all groups."""
        return self._joined(parameters, lambda part: part.distribution)

    def distribution_of_observed(self, parameters) -> tfd.Distribution:
        """As the base class's, group by group."""
        return self._joined(parameters, lambda part: part.distribution_of_observed)

    def check_missing(self):
        """Has every group's likelihood refuse missing values if it must."""
        for part in self.parts.values():
            part.check_missing()

    def requirements(self):
        """Those of every group."""
        return [
            requirement.of_columns(self.columns[name], name)
            for name, part in self.parts.items()
            for requirement in part.all_requirements()
        ]

    def check_parameters(self, parameters):
        """Has every group's likelihood look at its own."""
        check_one_array(parameters)
        ends = self._ends(parameters.shape[-1])
        for part, (start, end) in zip(self.parts.values(), ends, strict=True):
            part.check_parameters(parameters[..., start:end])

    def get_config(self) -> dict:
        """The constructor's arguments."""
        groups = {
            # A list, in whose place a tuple would come back as something else.
            name: [keras.saving.serialize_keras_object(part), list(self.columns[name])]
            for name, part in self.parts.items()
        }
        return {**super().get_config(), "groups": groups}

    @classmethod
    def from_config(cls, config: dict, custom_objects: dict | None = None):
        """The likelihood that `get_config` describes."""
        groups = {
            name: (
                keras.saving.deserialize_keras_object(part, custom_objects=custom_objects),
                columns,
            )
            for name, (part, columns) in config["groups"].items()
        }
        return cls(**{**config, "groups": groups})

    def _joined(self, parameters, make):
        parameters = tf.cast(parameters, tf.float32)
        ends = self._ends(parameters.shape[-1])
        parts = {
            name: make(part)(parameters[..., start:end])
            for (name, part), (start, end) in zip(self.parts.items(), ends, strict=True)
        }
        return JoinedGroups(parts, dict(self.columns))

    def _ends(self, num_parameters):
        """Where the parameters of each group begin and end."""
        sizes = self._sizes((self._num_columns,))
        if sum(sizes) != num_parameters:
            raise ValueError(
                f"A product of these likelihoods takes {sum(sizes)} numbers on the last axis. "
                f"Received: {num_parameters}. Build the decoder with `likelihood=`."
            )
        starts = [sum(sizes[:index]) for index in range(len(sizes))]
        return [(start, start + size) for start, size in zip(starts, sizes, strict=True)]

    def _sizes(self, event_shape):
        """How many numbers each group takes on the last axis."""
        shapes = self._shapes(event_shape)
        return [self.parts[name].parameters_shape(shape)[-1] for name, shape in shapes.items()]

    def _shapes(self, event_shape):
        """The shape of each group's events."""
        if event_shape[-1] != self._num_columns:
            raise ValueError(
                f"The groups of the likelihood are of {self._num_columns} columns, and the last "
                f"axis of the images has {event_shape[-1]}. Received: images of shape "
                f"{tuple(event_shape)}. Give every column to one group."
            )
        return {name: (*event_shape[:-1], len(own)) for name, own in self.columns.items()}

    @property
    def _num_columns(self):
        return sum(map(len, self.columns.values()))


class JoinedGroups(tfd.Distribution):
    """Independent distributions over groups of the last axis's columns."""

    def __init__(self, parts, columns):
        parameters = {"parts": parts, "columns": columns}
        super().__init__(
            dtype=tf.float32,
            reparameterization_type=tfd.NOT_REPARAMETERIZED,
            validate_args=False,
            allow_nan_stats=True,
            parameters=parameters,
            name="Product",
        )
        self._parts, self._columns = parts, columns
        given = [column for own in columns.values() for column in own]
        self._order = sorted(range(len(given)), key=given.__getitem__)

    def log_prob_by_group(self, event) -> dict:
        """What each group contributes, nats, `[batch]`."""
        return {
            name: part.log_prob(take(event, self._columns[name]))
            for name, part in self._parts.items()
        }

    def _log_prob(self, event):
        return tf.add_n(list(self.log_prob_by_group(event).values()))

    def _sample_n(self, n, seed=None):
        seeds = tfp.random.split_seed(seed, n=len(self._parts), salt="product")
        parts = self._parts.values()
        return self._join([part.sample(n, seed=s) for part, s in zip(parts, seeds, strict=True)])

    def _mean(self):
        return self._join([part.mean() for part in self._parts.values()])

    def _variance(self):
        return self._join([part.variance() for part in self._parts.values()])

    def _stddev(self):
        return self._join([part.stddev() for part in self._parts.values()])

    def _mode(self):
        return self._join([part.mode() for part in self._parts.values()])

    def _batch_shape(self):
        return next(iter(self._parts.values())).batch_shape

    def _batch_shape_tensor(self):
        return next(iter(self._parts.values())).batch_shape_tensor()

    def _event_shape(self):
        first = next(iter(self._parts.values())).event_shape
        return tf.TensorShape([*first[:-1], len(self._order)])

    def _event_shape_tensor(self):
        first = next(iter(self._parts.values())).event_shape_tensor()
        return tf.concat([first[:-1], [len(self._order)]], axis=0)

    def _join(self, values):
        joined = tf.concat([tf.cast(value, tf.float32) for value in values], axis=-1)
        return take(joined, self._order)


def take(values, columns):
    """Columns of the last axis, by a slice where they are side by side."""
    start = columns[0]
    if list(columns) == list(range(start, start + len(columns))):
        return values[..., start : start + len(columns)]
    return tf.gather(values, columns, axis=-1)


def _indices(name, columns):
    """Columns as a tuple of indices."""
    argument = f"columns of '{name}'"
    expected = "an integer from 0, several of them, a range, or a slice with an end"
    if isinstance(columns, slice):
        if columns.stop is None or columns.stop < 0:
            raise arguments.invalid(argument, expected, columns)
        columns = range(columns.stop)[columns]
    is_several = isinstance(columns, Iterable) and not isinstance(columns, str | bytes | Mapping)
    given = list(columns) if is_several else [columns]
    if not given:
        raise arguments.invalid(argument, "one column or more", columns)
    try:
        return tuple(arguments.count(argument, index, least=0) for index in given)
    except ValueError:
        raise arguments.invalid(argument, expected, columns) from None


def _check_each_once(columns):
    """Refuses columns that are in two groups, or in none."""
    owner = {}
    for name, own in columns.items():
        for column in own:
            if column in owner:
                raise ValueError(
                    "Every column belongs to one group of a product. Received: column "
                    f"{column} of '{owner[column]}' and of '{name}'. Take it out of one of them."
                )
            owner[column] = name
    left_out = sorted(set(range(max(owner))) - set(owner))
    if left_out:
        raise ValueError(
            f"Every column belongs to one group of a product. Columns {left_out} are in none, and "
            f"the last is {max(owner)}. Give them a likelihood, or take them out of the data."
        )
