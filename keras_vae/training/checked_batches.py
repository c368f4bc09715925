"""A `PyDataset` whose every batch is looked at, in whichever thread or process prepares it."""

from collections.abc import Callable

import keras


class CheckedBatches(keras.utils.PyDataset):
    """Another `PyDataset`, batch by batch through a function.

    Args:
        dataset: A `keras.utils.PyDataset`. Its workers are used as they would be without this.
        check_batch: Function from a batch to the batch that is used. It must pickle where the data
            set prepares batches in other processes.
    """

    def __init__(self, dataset: keras.utils.PyDataset, check_batch: Callable):
        super().__init__(dataset.workers, dataset.use_multiprocessing, dataset.max_queue_size)
        self.dataset = dataset
        self.check_batch = check_batch

    def __getitem__(self, index):
        """The batch at that position."""
        return self.check_batch(self.dataset[index])

    @property
    def num_batches(self) -> int | None:
        """How many batches there are in an epoch; `None` if there is no end."""
        return self.dataset.num_batches

    def on_epoch_begin(self):
        """Tells the data set."""
        self.dataset.on_epoch_begin()

    def on_epoch_end(self):
        """Tells the data set."""
        self.dataset.on_epoch_end()
