"""Tests that every batch of a `PyDataset` or generator is looked at, wherever it is prepared."""

import keras
import numpy as np
import pytest

GOOD = np.random.default_rng(0).random((4, 4, 4, 1), dtype=np.float32)


class Batches(keras.utils.PyDataset):
    """Five batches, of which the fourth may be another."""

    def __init__(self, fourth=(GOOD,), **kwargs):
        super().__init__(**kwargs)
        self.fourth = fourth
        self.heard = []

    def __len__(self):
        return 5

    def __getitem__(self, index):
        return self.fourth if index == 3 else (GOOD, np.zeros(4), np.ones(4))[: len(self.fourth)]

    def on_epoch_begin(self):
        self.heard.append("begin")

    def on_epoch_end(self):
        self.heard.append("end")


def generator(fourth=(GOOD,)):
    yield from Batches(fourth)


def spoiled(value):
    return np.where(np.arange(4)[:, None, None, None] == 2, np.float32(value), GOOD)


BAD = {
    "bytes": ((np.uint8(255 * GOOD),), r"must be floating point.*Received: dtype uint8"),
    "0 to 255": ((255 * GOOD,), r"within \[0, 1\].*Received: values from"),
    "NaN": ((spoiled(np.nan),), r"must be finite. Received: values that are NaN"),
    "shape": ((GOOD[:, :3],), r"Expected: \[batch, 4, 4, 1\]. Received: \[4, 3, 4, 1\]"),
    "weights": ((GOOD, np.zeros(4), -np.ones(4)), r"weights must be finite numbers of at least 0"),
    "weights of pixels": ((GOOD, np.zeros(4), GOOD), r"one sample weight an image"),
}


@pytest.mark.parametrize("container", [Batches, generator])
@pytest.mark.parametrize("fault", BAD)
def test_a_bad_batch_stops_the_step_that_meets_it_as_an_array_would(make_vae, fault, container):
    batch, message = BAD[fault]
    vae = make_vae(eager=True)
    with pytest.raises(ValueError, match=f"^[^<]*{message}[^<]*$"):
        vae.fit(container(batch), verbose=0, shuffle=False)
    assert vae.optimizer.iterations <= 3


@pytest.mark.parametrize("workers", [{"workers": 2}, {"workers": 1, "use_multiprocessing": True}])
def test_so_it_does_where_workers_prepare_it(make_vae, workers):
    with pytest.raises(ValueError, match=r"^Images must be within"):
        make_vae(eager=True).fit(Batches((255 * GOOD,), max_queue_size=2, **workers), verbose=0)


def test_the_data_set_hears_of_its_epochs_and_keeps_its_workers(make_vae):
    data = Batches(workers=2, max_queue_size=3)
    vae = make_vae(eager=True)
    wrapped = vae.data_check().wrap(data)
    assert (wrapped.workers, wrapped.max_queue_size, wrapped.num_batches) == (2, 3, 5)
    data.heard.clear()
    vae.fit(data, epochs=2, verbose=0)
    assert data.heard.count("begin") == 2
    assert vae.optimizer.iterations == 10


def test_validation_and_prediction_look_too(make_vae):
    bad = Batches((255 * GOOD,))
    vae = make_vae(eager=True)
    with pytest.raises(ValueError, match=r"^Images must be within"):
        vae.fit(GOOD, validation_data=bad, verbose=0)
    for ask in (vae.evaluate, vae.predict):
        with pytest.raises(ValueError, match=r"^Images must be within"):
            ask(bad, verbose=0)


def test_an_empty_one_is_refused(make_vae):
    class Empty(Batches):
        def __len__(self):
            return 0

    with pytest.raises(ValueError, match=r"no images. Received: a `PyDataset` of length 0"):
        make_vae(eager=True).fit(Empty(), verbose=0)
