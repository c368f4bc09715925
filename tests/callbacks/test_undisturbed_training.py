import keras
import numpy as np
import pytest
from keras import layers, ops

from keras_vae.callbacks.beta_schedule import BetaSchedule
from keras_vae.callbacks.elbo_logger import ELBOLogger
from keras_vae.callbacks.latent_statistics import LatentStatistics
from keras_vae.callbacks.loss_curves import LossCurves


class Sampling(layers.Layer):
    """Draws a code; its generator moves on whenever the encoder is called."""

    def __init__(self):
        super().__init__()
        self.seed_generator = keras.random.SeedGenerator(7)

    def call(self, inputs):
        mean, log_variance = inputs
        noise = keras.random.normal(ops.shape(mean), seed=self.seed_generator)
        return mean + ops.exp(0.5 * log_variance) * noise


class ForeignVAE(keras.Model):
    """A VAE as many people write one, without anything of this package."""

    def __init__(self, encoder, decoder):
        super().__init__()
        self.encoder = encoder
        self.decoder = decoder
        self.beta = self.add_weight(shape=(), initializer="ones", trainable=False, name="beta")
        self.total_loss_tracker = keras.metrics.Mean(name="total_loss")
        self.reconstruction_loss_tracker = keras.metrics.Mean(name="reconstruction_loss")
        self.kl_loss_tracker = keras.metrics.Mean(name="kl_loss")

    @property
    def metrics(self):
        return [self.total_loss_tracker, self.reconstruction_loss_tracker, self.kl_loss_tracker]

    def train_step(self, data):
        import tensorflow as tf

        with tf.GradientTape() as tape:
            mean, log_variance, code = self.encoder(data)
            squared_error = ops.sum(ops.square(data - self.decoder(code)), axis=(1, 2, 3))
            reconstruction = ops.mean(squared_error)
            kl = -0.5 * (1 + log_variance - ops.square(mean) - ops.exp(log_variance))
            kl = ops.mean(ops.sum(kl, axis=1))
            loss = reconstruction + self.beta * kl
        gradients = tape.gradient(loss, self.trainable_weights)
        self.optimizer.apply_gradients(zip(gradients, self.trainable_weights, strict=True))
        self.total_loss_tracker.update_state(loss)
        self.reconstruction_loss_tracker.update_state(reconstruction)
        self.kl_loss_tracker.update_state(kl)
        return {
            "loss": self.total_loss_tracker.result(),
            "reconstruction_loss": self.reconstruction_loss_tracker.result(),
            "kl_loss": self.kl_loss_tracker.result(),
        }


def foreign_vae():
    keras.utils.set_random_seed(2)
    x = keras.Input((4, 4, 1))
    features = layers.Dense(5, activation="relu")(layers.Flatten()(x))
    mean, log_variance = layers.Dense(2)(features), layers.Dense(2)(features)
    encoder = keras.Model(x, [mean, log_variance, Sampling()([mean, log_variance])])
    z = keras.Input((2,))
    decoder = keras.Model(z, layers.Reshape((4, 4, 1))(layers.Dense(16)(z)))
    vae = ForeignVAE(encoder, decoder)
    vae.compile(keras.optimizers.Adam(1e-2))
    return vae


def callbacks(images, folder):
    return [
        LatentStatistics(images, folder),
        ELBOLogger(folder, frequency=1, print_table=False),
        LossCurves(folder),
    ]


@pytest.fixture
def build(make_vae):
    return {"ours": make_vae, "foreign": foreign_vae}


@pytest.mark.slow
@pytest.mark.parametrize("kind", ["ours", "foreign"])
def test_training_ends_with_the_same_weights_and_logs(build, images, tmp_path, kind):
    endings = []
    for watched in (False, True):
        model = build[kind]()
        history = model.fit(
            images,
            batch_size=8,
            epochs=3,
            verbose=0,
            callbacks=callbacks(images[:5], tmp_path) if watched else [],
        )
        variables = [*model.weights, *model.optimizer.variables, *model.non_trainable_variables]
        endings.append(([np.asarray(v.numpy()) for v in variables], history.history))
    (weights, logs), (watched_weights, watched_logs) = endings
    for one, other in zip(weights, watched_weights, strict=True):
        np.testing.assert_array_equal(one, other)
    # The losses that are logged are sums that several threads share: they may round differently.
    for name, values in logs.items():
        np.testing.assert_allclose(watched_logs[name], values, rtol=1e-6, err_msg=name)
    assert {"active_units", "mutual_information", "latent_kl"} <= watched_logs.keys()
    written = {path.name for path in tmp_path.iterdir()}
    assert written == {
        "elbo.csv",
        "latent_kl.png",
        "latent_statistics.csv",
        "losses.csv",
        "losses.png",
        "rate_distortion.png",
    }


def test_a_foreign_model_is_logged_step_by_step(images, tmp_path):
    vae = foreign_vae()
    logger = ELBOLogger(tmp_path, print_table=False)
    schedule = BetaSchedule(warmup_steps=4)
    history = vae.fit(images, batch_size=5, verbose=0, callbacks=[schedule, logger]).history
    assert [row["step"] for row in logger.rows] == [1, 2, 4]
    assert [row["beta"] for row in logger.rows] == [0.0, 0.25, 0.75]
    assert history["beta"] == [0.75]
    for name in ("loss", "reconstruction_loss", "kl_loss"):
        # Rows are means over steps 1, 2, and 3 to 4: together those of the epoch.
        means = np.array([row[name] for row in logger.rows])
        assert np.average(means, weights=[1, 1, 2]) == pytest.approx(history[name][0], rel=1e-5)
