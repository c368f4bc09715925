"""Tests of the importance-weighted bound and of its doubly reparameterised gradient."""

import keras
import numpy as np
import pytest
import tensorflow as tf

from keras_vae.distributions import Gaussian
from keras_vae.objectives import IWAE


def sampled_terms(vae, x, noise):
    """-log p(x|z) and log q(z|x) - log p(z) of samples by given noise, each `[samples, batch]`."""
    posterior = vae.encode(x)
    z = posterior.mean() + posterior.stddev() * noise
    repeated = np.tile(x, (len(z), 1, 1, 1))
    distortion = -vae.decode(tf.reshape(z, [-1, 2])).log_prob(repeated)
    distortion = tf.reshape(distortion, [len(z), len(x)])
    rate = posterior.log_prob(z) - vae.prior_distribution().log_prob(z)
    return np.float64(distortion), np.float64(rate)


def test_one_sample_gives_the_sampled_bound_of_the_vae(make_vae, images):
    vae, iwae = make_vae(eager=True), make_vae(IWAE, num_samples=1, eager=True)
    noise = vae.noise(20, (vae.latent_dim,), training=True)
    np.testing.assert_array_equal(iwae.noise(20, (1, 2), True)[:, 0], noise)
    distortion, rate = sampled_terms(vae, images, noise[None])
    logs = iwae.train_on_batch(images, return_dict=True)
    assert logs["loss"] == pytest.approx(np.mean(distortion + rate), rel=1e-5)
    assert logs["importance_gain"] == pytest.approx(0, abs=1e-5)
    reconstruction = vae.train_on_batch(images, return_dict=True)["reconstruction_loss"]
    assert logs["reconstruction_loss"] == pytest.approx(reconstruction, rel=1e-6)


@pytest.mark.parametrize("beta", [1.0, 0.5])
def test_the_loss_is_the_bound_in_numpy(make_vae, images, beta):
    vae = make_vae(IWAE, num_samples=4, beta=beta, eager=True)
    noise = tf.transpose(vae.noise(20, (4, 2), True), [1, 0, 2])
    distortion, rate = sampled_terms(vae, images, noise)
    bound = np.log(np.mean(np.exp(-distortion - beta * rate), axis=0))
    logs = vae.train_on_batch(images, return_dict=True)
    assert logs["loss"] == pytest.approx(-np.mean(bound), rel=1e-5)
    parts = logs["reconstruction_loss"] + beta * logs["kl_loss"] + logs["importance_gain"]
    assert logs["loss"] == pytest.approx(parts, rel=1e-5)
    assert logs["importance_gain"] < -1e-3
    assert logs["elbo"] == pytest.approx(-np.mean(distortion + rate), rel=1e-5)


def test_the_bound_grows_with_the_samples(make_vae, images):
    vae = make_vae(IWAE, eager=True)
    random = np.random.default_rng(0)
    noise = random.normal(size=(1600, 20, 2)).astype("float32")
    distortion, rate = sampled_terms(vae, images, noise)
    # 100 groups of sixteen samples for every image; groups of four and single ones are among them.
    weights = np.exp(-distortion - rate)
    bounds = {
        count: np.log(np.mean(weights.reshape(100, -1, count, 20), axis=2)).mean((1, 2))
        for count in (1, 4, 16)
    }
    for fewer, more in ((1, 4), (4, 16)):
        gain = bounds[more] - bounds[fewer]
        assert gain.mean() > 4 * gain.std() / np.sqrt(100)


def gradients_of(vae, x):
    """The gradient of the loss at this step's noise: of the encoder's weights, of the decoder's."""
    with tf.GradientTape() as tape:
        terms = vae(x, training=True, return_pass=True).terms.values()
        loss = sum(weight * tf.reduce_mean(nats) for weight, nats, _ in terms)
    parts = vae.encoder.trainable_weights, vae.decoder.trainable_weights
    return [
        tf.concat([tf.reshape(g, [-1]) for g in part], axis=0)
        for part in tape.gradient(loss, parts)
    ]


def both_gradients(make_vae, images, draws):
    """Many draws of both estimators: `[draws, weights]` of encoder and of decoder, for each."""
    found = []
    for gradient in ("reparameterized", "doubly_reparameterized"):
        vae = make_vae(
            IWAE,
            num_samples=16,
            gradient=gradient,
            likelihood=Gaussian(0.5),
            optimizer=keras.optimizers.SGD(0.0),
        )

        @tf.function
        def draw(step, vae=vae):
            vae.optimizer.iterations.assign(step)
            return gradients_of(vae, images[:4])

        pairs = [draw(tf.constant(step, tf.int64)) for step in range(draws)]
        found.append([np.float64(part) for part in zip(*pairs, strict=True)])
    return found


def test_the_doubly_reparameterised_gradient(make_vae, images):
    draws = 400
    (encoder, decoder), (doubly, same) = both_gradients(make_vae, images, draws)
    # The decoder's is the plain one.
    np.testing.assert_allclose(same, decoder, atol=1e-4 * np.abs(decoder).max())
    assert np.abs(decoder).max() > 0.1
    # The encoder's agrees in the mean: over all weights, the squared difference in standard errors
    # is one on average. It would be far more were they different.
    difference = doubly - encoder
    error = difference.std(axis=0) / np.sqrt(draws)
    moving = error > 1e-6 * np.abs(encoder).max()
    scores = difference.mean(axis=0)[moving] / error[moving]
    assert moving.sum() > 50
    assert np.abs(scores).max() < 5
    assert np.mean(scores**2) < 2.5
    # And it is less noisy.
    assert doubly.var(axis=0).sum() < 0.8 * encoder.var(axis=0).sum()


def test_the_doubly_reparameterised_gradient_needs_a_density_it_can_stop(make_vae, images):
    vae = make_vae(IWAE, posterior="coupling_flow", gradient="doubly_reparameterized", eager=True)
    with pytest.raises(ValueError, match=r"'diagonal_normal'.*coupling_flow.*'reparameterized'"):
        vae.train_on_batch(images)
    plain = make_vae(IWAE, posterior="coupling_flow", num_samples=2, eager=True)
    assert np.isfinite(plain.train_on_batch(images, return_dict=True)["loss"])


def test_the_bound_has_no_mean_form(make_vae):
    with pytest.raises(ValueError, match=r"pass reduction='sum'. Received: reduction='mean'"):
        make_vae(IWAE, reduction="mean", beta=1.0)


@pytest.mark.parametrize("argument, value", [("num_samples", 0), ("gradient", "score")])
def test_arguments_are_checked(make_vae, argument, value):
    with pytest.raises(
        ValueError, match=rf"`{argument}`. Expected .* Received: {argument}={value!r}"
    ):
        make_vae(IWAE, **{argument: value})


@pytest.mark.parametrize("share", [0.0, 0.25, 1.0])
def test_several_bounds_and_a_share_of_single_ones_in_numpy(make_vae, images, share):
    vae = make_vae(IWAE, num_samples=3, num_bounds=4, elbo_share=share, beta=0.5, eager=True)
    noise = tf.transpose(vae.noise(20, (12, 2), True), [1, 0, 2])
    distortion, rate = sampled_terms(vae, images, noise)
    log_weights = -distortion - 0.5 * rate
    bounds = np.log(np.mean(np.exp(log_weights.reshape(4, 3, 20)), axis=1)).mean(axis=0)
    expected = share * log_weights.mean(axis=0) + (1 - share) * bounds
    logs = vae.train_on_batch(images, return_dict=True)
    assert logs["loss"] == pytest.approx(-np.mean(expected), rel=1e-5)
    assert vae.get_config()["num_bounds"] == 4 and vae.get_config()["elbo_share"] == share


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"num_bounds": 0}, "num_bounds=0"),
        ({"elbo_share": 1.5}, "elbo_share=1.5"),
        ({"elbo_share": -0.1}, "elbo_share=-0.1"),
        ({"elbo_share": 0.5, "gradient": "doubly_reparameterized"}, "for the plain gradient"),
    ],
)
def test_bounds_and_shares_are_checked(make_vae, arguments, message):
    with pytest.raises(ValueError, match=message):
        make_vae(IWAE, **arguments)
