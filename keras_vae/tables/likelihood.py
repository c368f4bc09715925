"""p(row|z) of a table: like columns are explained together, and told of one by one."""

from collections.abc import Mapping, Sequence

import keras
import tensorflow as tf

from keras_vae.distributions import Product
from keras_vae.distributions.likelihoods.product import JoinedGroups, take


@keras.saving.register_keras_serializable(package="keras_vae")
class ColumnProduct(Product):
    """A product whose groups may be several columns, each of which is logged by its own name.

    What a compiler has to do grows with the number of groups: were each of thirty columns one, it
    would take longer than the training.

    Args:
        groups: As `Product` takes them.
        names: `{group: names}`. Of a group of several values, the name of each; of one value that
            is several numbers, as a class is, one name.
    """

    def __init__(self, groups: Mapping, names: Mapping[str, Sequence[str]], **kwargs):
        super().__init__(groups, **kwargs)
        self.names = {group: list(own) for group, own in names.items()}

    def distribution(self, parameters):
        """As `Product`'s."""
        return self._by_column(super().distribution(parameters), is_observed=False)

    def distribution_of_observed(self, parameters):
        """As the base class's, value by value."""
        return self._by_column(super().distribution(parameters), is_observed=True)

    def get_config(self) -> dict:
        """The constructor's arguments."""
        return {**super().get_config(), "names": self.names}

    def _by_column(self, joined, is_observed):
        fill = {name: part.a_value_of_support() for name, part in self.parts.items()}
        return _ByColumn(
            joined.parameters["parts"], dict(self.columns), self.names, fill if is_observed else {}
        )


class _ByColumn(JoinedGroups):
    """Independent values; those that are NaN do not count if there is what stands for them."""

    def __init__(self, parts, columns, names, fill):
        super().__init__(parts, columns)
        self._names, self._fill = names, fill

    def log_prob_by_group(self, event) -> dict:
        """What each column contributes, nats, `[batch]`."""
        found: dict[str, tf.Tensor] = {}
        for group, part in self._parts.items():
            values = take(event, self._columns[group])
            is_missing = tf.math.is_nan(values)
            if self._fill:
                # Put in before the density, whose gradient would otherwise be NaN.
                values = tf.where(is_missing, self._fill[group], values)
            names = self._names[group]
            if len(names) > 1:
                log_prob = part.distribution.log_prob(values)
            else:  # One value, which may be several numbers, as a class is.
                log_prob, is_missing = part.log_prob(values)[..., None], is_missing[..., :1]
            if self._fill:
                log_prob = tf.where(is_missing, 0.0, log_prob)
            found.update(zip(names, tf.unstack(log_prob, axis=-1), strict=True))
        return found
