"""Tests of what all samplers have in common, on codes of which one latent is another's square."""

import numpy as np
import pytest

import keras_vae
from keras_vae import samplers

QUICK = {"hidden_sizes": (8,), "epochs": 1, "batch_size": 64}
MAKE = {
    "prior": samplers.PriorSampler,
    "mixture": lambda: samplers.GaussianMixtureSampler(3),
    "flow": lambda: samplers.FlowSampler(num_layers=2, **QUICK),
    "second_stage": lambda: samplers.SecondStageSampler(latent_dim=2, **QUICK),
}
each_sampler = pytest.mark.parametrize("name", MAKE)


def curved(count, seed=0):
    noise = np.random.default_rng(seed).normal(size=(count, 3))
    return np.stack([noise[:, 0], noise[:, 0] ** 2 + 0.1 * noise[:, 1], 5 * noise[:, 2]], axis=1)


@pytest.fixture(scope="module")
def fitted():
    with pytest.MonkeyPatch.context() as patch:
        # It costs more to compile a loop over steps than its few steps take.
        patch.setattr("keras_vae.training.term_trainer.loop_pays", lambda model: False)
        return {name: make().fit(curved(128), seed=1) for name, make in MAKE.items()}


@each_sampler
def test_the_same_seed_gives_the_same_codes_and_another_others(fitted, name):
    drawn = fitted[name].sample(20, seed=3)
    assert drawn.shape == (20, 3) and drawn.dtype == np.float32
    assert np.isfinite(drawn).all()
    np.testing.assert_array_equal(drawn, fitted[name].sample(20, seed=3))
    assert not np.isclose(drawn, fitted[name].sample(20, seed=4)).any()


def test_saved_they_draw_the_same_in_a_new_process(fitted, tmp_path, run_python):
    for name, sampler in fitted.items():
        sampler.save(tmp_path / f"{name}.keras")
    run_python(
        "import numpy as np, keras, keras_vae\n"
        f"for name in {list(MAKE)}:\n"
        "    sampler = keras.saving.load_model(f'{name}.keras')\n"
        "    np.save(name, sampler.sample(20, seed=3))\n"
    )
    for name, sampler in fitted.items():
        drawn = np.load(tmp_path / f"{name}.npy")
        np.testing.assert_allclose(drawn, sampler.sample(20, seed=3), rtol=1e-6, atol=1e-6)
    assert sorted(path.suffix for path in tmp_path.iterdir()) == [".keras"] * 4 + [".npy"] * 4


@pytest.mark.usefixtures("steps_one_by_one")
@pytest.mark.parametrize("name", ["mixture", "flow"])
def test_fitted_again_it_is_the_same_bit_for_bit(fitted, name):
    again = MAKE[name]().fit(curved(128), seed=1)
    for weight, other in zip(again.get_weights(), fitted[name].get_weights(), strict=True):
        np.testing.assert_array_equal(weight, other)


def test_codes_of_any_scale_are_drawn_in_their_own_units(fitted):
    far = samplers.GaussianMixtureSampler(3).fit(1000 * curved(128) + 50, seed=1)
    expected = 1000 * fitted["mixture"].sample(10, seed=0) + 50
    np.testing.assert_allclose(far.sample(10, seed=0), expected, rtol=1e-3, atol=1)


def test_a_latent_that_is_always_the_same_stays_so():
    codes = curved(128)
    codes[:, 1] = 7.0
    drawn = samplers.GaussianMixtureSampler(2).fit(codes).sample(50)
    np.testing.assert_allclose(drawn[:, 1], 7.0, atol=0.01)


def test_many_codes_are_drawn_block_by_block_and_all_differ(fitted, monkeypatch):
    monkeypatch.setattr("keras_vae.samplers.sampler._CODES", 8)
    drawn = fitted["mixture"].sample(20, seed=0)
    assert drawn.shape == (20, 3) and len(np.unique(drawn, axis=0)) == 20


def test_a_file_that_is_there_may_be_kept(fitted, tmp_path):
    path = tmp_path / "sampler.keras"
    path.write_text("mine")
    with pytest.raises(FileExistsError, match="is there"):
        fitted["prior"].save(path, overwrite=False)
    assert path.read_text() == "mine"
    fitted["prior"].save(path)
    assert path.read_bytes()[:2] == b"PK"


def test_what_diverged_is_refused(monkeypatch):
    sampler = samplers.GaussianMixtureSampler(1)
    monkeypatch.setattr(
        samplers.GaussianMixtureSampler,
        "learn",
        lambda self, codes, seed, verbose: self.means.assign(np.full((1, 3), np.nan)),
    )
    with pytest.raises(ValueError, match="not finite: it diverged"):
        sampler.fit(curved(16))


def test_they_are_found_in_the_package():
    assert set(samplers.__all__) > {type(make()).__name__ for make in MAKE.values()}
    assert "samplers" in keras_vae.__all__ and "sample_quality" in keras_vae.__all__
