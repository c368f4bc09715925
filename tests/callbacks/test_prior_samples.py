"""Tests of samples from the prior: the same codes in every picture, in their places."""

import keras
import numpy as np
import pytest
from PIL import Image

import keras_vae
from keras_vae import objectives, samplers, visualize
from keras_vae.callbacks.prior_samples import PriorSamples


def constant_images(codes):
    """Images as bright as the first latent of their code."""
    return np.repeat(np.clip(codes[:, :1], 0, 1), 16, axis=1).reshape(-1, 4, 4, 1)


def test_every_code_is_in_its_place(make_vae, images, tmp_path):
    samples = PriorSamples(tmp_path, num_images=5, seed=3, decode=constant_images)
    make_vae(eager=True).fit(images, epochs=2, verbose=0, callbacks=[samples])
    codes = np.random.default_rng(3).standard_normal((5, 2), np.float32)
    expected = np.rint(255 * np.append(np.clip(codes[:, 0], 0, 1), 1.0)).reshape(2, 3)
    for epoch in ("0001", "0002"):
        picture = np.asarray(Image.open(tmp_path / f"prior_samples/epoch_{epoch}.png"))
        np.testing.assert_array_equal(picture[18::34, 18::34], expected)


def test_codes_are_the_same_whatever_was_drawn_before(make_vae, images, tmp_path):
    codes = []
    for seed in (1, 2):
        keras.utils.set_random_seed(seed)
        samples = PriorSamples(tmp_path, num_images=4)
        make_vae(seed=seed, eager=True).fit(images, epochs=1, verbose=0, callbacks=[samples])
        codes.append(samples.codes)
    np.testing.assert_array_equal(*codes)
    assert codes[0].shape == (4, 2)


def test_number_of_latents_that_nobody_tells(images, tmp_path):
    model = keras.Sequential([keras.Input((4, 4, 1)), keras.layers.Dense(1)])
    model.compile(loss="mse", run_eagerly=True)
    with pytest.raises(ValueError, match="Pass `latent_dim=`"):
        model.fit(
            images, images, verbose=0, callbacks=[PriorSamples("run", decode=constant_images)]
        )
    samples = PriorSamples(tmp_path, num_images=1, latent_dim=7, decode=constant_images)
    model.fit(images, images, verbose=0, callbacks=[samples])
    assert samples.codes.shape == (1, 7)


MEMBERS = {
    "vamp": (objectives.VampPriorVAE, {"num_pseudo_inputs": 3}),
    "levels": (objectives.HierarchicalVAE, {"hidden_sizes": (4,)}),
    "mixture": (keras_vae.VAE, {"prior": "gaussian_mixture"}),
}


@pytest.mark.parametrize("name", MEMBERS)
def test_codes_are_of_the_prior_that_the_model_has_learned_by_then(
    make_vae, images, tmp_path, name
):
    cls, arguments = MEMBERS[name]
    alone, watched = (make_vae(cls, eager=True, **arguments) for _ in range(2))
    alone.fit(images, epochs=2, verbose=0)
    drawn = []

    class Kept(PriorSamples):
        def draw(self, functions):
            pictures = super().draw(functions)
            drawn.append(self.codes)
            return pictures

    samples = Kept(tmp_path, num_images=6, seed=3)
    watched.fit(images, epochs=2, verbose=0, callbacks=[samples])
    # Those that the model samples from, at the end of each epoch.
    expected = watched.prior_distribution().sample(6, seed=np.array([3, 0], np.int32))
    np.testing.assert_allclose(drawn[1], expected, atol=1e-6)
    np.testing.assert_allclose(
        watched.decode(drawn[1]).mean(), watched.sample(6, seed=3), atol=1e-6
    )
    # The prior moves a little in an epoch, and the codes with it.
    assert 0 < np.abs(drawn[1] - drawn[0]).max() < 0.5
    for a, b in zip(alone.get_weights(), watched.get_weights(), strict=True):
        np.testing.assert_array_equal(a, b)


def test_codes_on_a_sphere_are_drawn_there(make_vae):
    vae = make_vae(latent_dim=3, posterior="von_mises_fisher", prior="spherical_uniform")
    codes = visualize.prior_codes(visualize.ModelFunctions(vae), 50, 0, None)
    np.testing.assert_allclose(np.linalg.norm(codes, axis=1), 1, rtol=1e-5)
    # Told the number of latents, it is as if nothing were known of a prior.
    told = visualize.prior_codes(visualize.ModelFunctions(vae), 50, 0, 3)
    np.testing.assert_array_equal(
        told, np.random.default_rng(0).standard_normal((50, 3), np.float32)
    )


class Shift(keras.layers.Layer):
    """The prior N(3, 4 I)."""

    def distribution(self, latent_dim):
        return keras_vae.distributions.diagonal_normal(
            np.full(latent_dim, 3, np.float32), np.full(latent_dim, 2, np.float32)
        )


def test_independent_gaussians_move_the_noise_of_the_standard_ones(make_vae):
    codes = visualize.prior_codes(visualize.ModelFunctions(make_vae(prior=Shift())), 5, 7, None)
    noise = np.random.default_rng(7).standard_normal((5, 2), np.float32)
    np.testing.assert_allclose(codes, 3 + 2 * noise, rtol=1e-6)


@pytest.mark.parametrize(
    "make_sampler",
    [
        lambda: samplers.GaussianMixtureSampler(2),
        pytest.param(
            lambda: samplers.FlowSampler(num_layers=1, hidden_sizes=(4,), epochs=1),
            marks=pytest.mark.slow,
        ),
    ],
)
def test_a_sampler_is_fitted_to_the_codes_of_every_picture(
    make_vae, images, tmp_path, make_sampler
):
    alone, watched = make_vae(eager=True), make_vae(eager=True)
    settings = {"epochs": 2, "batch_size": 8, "verbose": 0}
    alone.fit(images, **settings)
    samples = PriorSamples(tmp_path, num_images=5, seed=3, sampler=make_sampler(), images=images)
    watched.fit(images, callbacks=[samples], **settings)
    for a, b in zip(alone.get_weights(), watched.get_weights(), strict=True):
        np.testing.assert_array_equal(a, b)
    codes = samplers.codes_of(watched, images, seed=3)
    np.testing.assert_allclose(
        samples.codes, make_sampler().fit(codes, seed=3).sample(5, 3), rtol=1e-4, atol=1e-5
    )
    assert len(list((tmp_path / "prior_samples").iterdir())) == 2


def test_a_prior_of_another_kind_is_asked_for_the_number_of_latents(images, tmp_path):
    model = keras.Sequential([keras.Input((4, 4, 1)), keras.layers.Dense(1)])
    model.compile(loss="mse", run_eagerly=True)
    model.prior_distribution = lambda: "N(0, I)"
    with pytest.raises(ValueError, match=r"Cannot draw.*AttributeError.*Pass `latent_dim=`"):
        model.fit(
            images, images, verbose=0, callbacks=[PriorSamples("run", decode=constant_images)]
        )
    samples = PriorSamples(tmp_path, num_images=1, latent_dim=7, decode=constant_images)
    model.fit(images, images, verbose=0, callbacks=[samples])
    assert samples.codes.shape == (1, 7)


class Corner:
    """A sampler of a user: no model, no fit."""

    def sample(self, n, seed):
        return np.tile([[0.25, 1.0]], (n, 1))


def test_a_sampler_without_images_draws_as_it_is(make_vae, images, tmp_path):
    samples = PriorSamples(tmp_path, num_images=4, decode=constant_images, sampler=Corner())
    make_vae(eager=True).fit(images, verbose=0, callbacks=[samples])
    picture = np.asarray(Image.open(samples.last_pictures["prior_samples"]))
    assert (picture[18::34, 18::34] == 64).all()
    shown = visualize.samples(make_vae(), 4, decode=constant_images, sampler=Corner())
    np.testing.assert_array_equal(np.asarray(shown), picture)


def test_a_sampler_learns_the_codes_of_any_model_that_encodes(images, tmp_path):
    model = keras.Sequential([keras.Input((4, 4, 1)), keras.layers.Dense(1)])
    model.compile(loss="mse", run_eagerly=True)
    encode = lambda x: np.reshape(x, (len(x), -1))[:, :2]  # noqa: E731
    samples = PriorSamples(
        tmp_path,
        num_images=4,
        decode=constant_images,
        encode=encode,
        sampler=samplers.GaussianMixtureSampler(1),
        images=images,
    )
    model.fit(images, images, verbose=0, callbacks=[samples])
    assert samples.codes.shape == (4, 2)
    unknown = PriorSamples(
        tmp_path, decode=constant_images, sampler=samplers.GaussianMixtureSampler(1), images=images
    )
    with pytest.raises(ValueError, match="Found no way to encode"):
        model.fit(images, images, verbose=0, callbacks=[unknown])


def test_a_sampler_that_cannot_be_is_refused_before_training(make_vae, images, tmp_path):
    with pytest.raises(ValueError, match=r"`sampler`.*method `sample\(n, seed\)`.*sampler=3"):
        PriorSamples(tmp_path, sampler=3)
    for sampler in (None, Corner()):
        with pytest.raises(ValueError, match="`images` are what a sampler is fitted to"):
            PriorSamples(tmp_path, images=images, sampler=sampler)
    unfitted = PriorSamples(tmp_path, sampler=samplers.GaussianMixtureSampler())
    with pytest.raises(ValueError, match="needs a fitted sampler"):
        make_vae(eager=True).fit(images, verbose=0, callbacks=[unfitted])
    assert not (tmp_path / "prior_samples").exists()


@pytest.mark.parametrize(
    ("argument", "value"), [("num_images", 0), ("num_images", 2.5), ("seed", -1), ("latent_dim", 0)]
)
def test_invalid_arguments(argument, value):
    with pytest.raises(
        ValueError, match=f"`{argument}`. Expected an? .*integer.*{argument}={value}"
    ):
        PriorSamples("run", **{argument: value})
