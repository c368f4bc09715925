"""Examples in memory that a data set lends to training, which then gathers its batches itself.

On small images a batch that comes out of a pipeline costs a fifth of the step that trains on it:
threads of the pipeline take their time from the threads of the step, and what they have gathered is
copied again. A compiled loop that knows the examples and their order needs no pipeline at all.
"""

import dataclasses
import itertools
from collections.abc import Callable, Iterator

import tensorflow as tf

from keras_vae.keras_internals import IteratedOtherwise, count_of, handed_on_by

_LENT = "keras_vae_lent_examples"


@dataclasses.dataclass(frozen=True)
class Batches:
    """Batches of one epoch that follow each other.

    Attributes:
        order: Places of the epoch's examples, int32 `[size]`.
        epoch: Int. The epoch's number.
        first: Int. Which of the epoch's batches is the first of these.
        stop: Int. The one after the last.
    """

    order: tf.Tensor
    epoch: int
    first: int
    stop: int


@dataclasses.dataclass(frozen=True)
class LentExamples:
    """Examples, and the order in which a data set goes through them.

    Attributes:
        arrays: Tensors, all that `take` needs.
        take: Function of the arrays, of places, int32 `[n]`, and of an int64 scalar that no other
            batch of any epoch has: the batch. It is hashable, equal to others that do the same, and
            XLA knows its operations.
        order: Function of an epoch's number: the places of its examples, int32 `[size]`.
        size: Int. How many examples there are.
        batch_size: Int.
        count: Int. Batches an epoch.
        epochs: Numbers of the epochs to come, of which the data set takes its own, too.
        first_epoch: Int. The epoch that does not begin with its first batch.
        first_batch: Int. With which it begins.
    """

    arrays: dict[str, tf.Tensor]
    take: Callable
    order: Callable[[int], tf.Tensor]
    size: int
    batch_size: int
    count: int
    epochs: Iterator[int]
    first_epoch: int
    first_batch: int

    def batches(self) -> Iterator[Batches]:
        """Those of the next epoch."""
        epoch = next(self.epochs)
        first = self.first_batch if epoch == self.first_epoch else 0
        yield Batches(self.order(epoch), epoch, first, self.count)

    def draw_of(self, batches: Batches) -> int:
        """The number that the first of some batches has for itself; the next ones follow."""
        return batches.epoch * -(-self.size // self.batch_size) + batches.first

    def length_of(self, batch: int) -> int:
        """How many examples one of an epoch's batches has; the last may have fewer."""
        return min(self.batch_size, self.size - batch * self.batch_size)


def lend(dataset: tf.data.Dataset, examples: LentExamples):
    """Says of a data set which examples it goes through, and how."""
    setattr(dataset, _LENT, examples)


class LentIterator:
    """An iterator over a data set, of which training may take examples instead of batches.

    Once somebody has asked for a batch, all that are left are batches.

    Args:
        dataset: The data set, whose own iterator is made if a batch is the first thing asked for.
        examples: What it lends.
        batches: All that the iterator would yield.
    """

    def __init__(
        self, dataset: tf.data.Dataset, examples: LentExamples, batches: Iterator[Batches]
    ):
        self.element_spec = dataset.element_spec
        self.examples = examples
        self._dataset = dataset
        self._batches = batches
        self._at: Batches | None = None
        self._reader: tf.data.Iterator | None = None

    def __iter__(self):
        return self

    def __next__(self):
        return next(self.reader())

    @property
    def is_read(self) -> bool:
        """Whether batches are, and so examples no longer can be."""
        return self._reader is not None

    def reader(self) -> tf.data.Iterator:
        """An iterator of TensorFlow over the batches that were not taken."""
        if self._reader is None:
            with tf.init_scope():  # One iterator, not one a call of what is traced now.
                self._reader = iter(self._dataset if self._at is None else self._left())
        return self._reader

    def _left(self):
        """What somebody reads who trains a model in another way than it was until now."""
        examples = self.examples

        def batches():
            while (some := self._next_batches(1)) is not None:
                batch, length = some
                place = batch.first * examples.batch_size
                draw = tf.constant(examples.draw_of(batch), tf.int64)
                yield examples.take(examples.arrays, batch.order[place : place + length], draw)

        return tf.data.Dataset.from_generator(batches, output_signature=self.element_spec)

    def next_batches(self, most: int) -> tuple[Batches, int] | None:
        """The next batches of one epoch and of one length, as places of examples.

        Args:
            most: Int, at least 1. As many batches at most.

        Returns:
            The batches, and how many examples each of them has; `None` at the end.

        Raises:
            RuntimeError: If a batch was read.
        """
        if self.is_read:
            raise RuntimeError("An iterator was asked for examples after a batch was read.")
        return self._next_batches(most)

    def _next_batches(self, most):
        if self._at is None or self._at.first == self._at.stop:
            self._at = next(self._batches, self._at)
        at = self._at
        if at is None or at.first == at.stop:
            return None
        length = self.examples.length_of(at.first)
        stop = min(at.stop, at.first + most)
        if stop - at.first > 1 and self.examples.length_of(stop - 1) != length:
            stop -= 1
        self._at = dataclasses.replace(at, first=stop)
        return dataclasses.replace(at, stop=stop), length


def lending(
    dataset: tf.data.Dataset, is_taken: Callable[[], bool] = lambda: True
) -> tf.data.Dataset:
    """The same data set, with iterators of `LentIterator` if what it lends is known.

    It is not where something is done to its batches; `repeat`, `take`, `skip` and `prefetch` do
    nothing to them.

    Args:
        dataset: The data set.
        is_taken: Function, asked for each iterator: whether who iterates knows of examples. Where
            it is false, iterators are TensorFlow's. Defaults to one that says so always.
    """
    lent = _lent_by(dataset)
    if lent is None:
        return dataset
    examples, batches = lent

    def iterator():
        return LentIterator(dataset, examples, batches()) if is_taken() else iter(dataset)

    return IteratedOtherwise(dataset, iterator)


def _lent_by(dataset):
    """What a data set lends, and a function that goes through it once."""
    examples = getattr(dataset, _LENT, None)
    if examples is not None:
        return examples, examples.batches
    kind, source = handed_on_by(dataset) or (None, None)
    lent = _lent_by(source) if kind in _WAYS else None
    if lent is None:
        return None
    examples, batches = lent
    return examples, lambda: _WAYS[kind](batches, dataset)


def _repeated(batches, dataset):
    count = count_of(dataset)
    for _ in itertools.count() if count < 0 else range(count):
        is_empty = True
        for some in batches():
            is_empty = False
            yield some
        if is_empty and count < 0:
            return


def _taken(batches, dataset):
    left = count_of(dataset)
    if left < 0:
        yield from batches()
    elif left > 0:
        for some in batches():
            stop = min(some.stop, some.first + left)
            yield dataclasses.replace(some, stop=stop)
            left -= stop - some.first
            if not left:
                return


def _skipped(batches, dataset):
    left = count_of(dataset)
    if left < 0:
        return
    for some in batches():
        first = min(some.stop, some.first + left)
        left -= first - some.first
        if first < some.stop:
            yield dataclasses.replace(some, first=first)


def _as_they_are(batches, dataset):
    del dataset
    yield from batches()


# What is not among these, such as `shuffle`, has its batches come out of the pipeline.
_WAYS = {
    "Options": _as_they_are,
    "Prefetch": _as_they_are,
    "Repeat": _repeated,
    "Skip": _skipped,
    "Take": _taken,
}
