import keras
import numpy as np
import pandas
import pytest
import tensorflow as tf

from keras_vae.callbacks.elbo_logger import ELBOLogger

SEED = 3
# Small, so that the KL stays well above what single precision rounds.
BETA = 0.02
STEPS = 32
LEARNING_RATE = 1e-2


def step_noise(shape, step):
    """Normal noise by Box and Muller (1958) from random bits that the seed and the step give."""
    bits = tf.random.stateless_uniform(
        [2, *shape], [SEED, step], minval=None, maxval=None, dtype=tf.uint32, alg="philox"
    )
    radius, angle = ((bits.numpy() >> 8) + 0.5) / 2**24
    return (np.sqrt(-2 * np.log(radius)) * np.cos(2 * np.pi * angle)).astype(np.float32)


def hand_written_loop(encoder, decoder, batches):
    """The losses of every step, with nothing of this package but the two networks.

    Mean over the batch of the cross-entropy summed over pixels plus beta times the KL summed over
    latents, and Adam (Kingma & Ba, 2015, algorithm 1) as Keras writes it.
    """
    weights = encoder.trainable_weights + decoder.trainable_weights
    first = [tf.zeros_like(weight.value) for weight in weights]
    second = [tf.zeros_like(weight.value) for weight in weights]
    rows = []
    for step, x in enumerate(batches):
        noise = step_noise([len(x), 2], step)
        with tf.GradientTape() as tape:
            code = encoder(x)
            logits = decoder(code["loc"] + code["scale"] * noise)
            entropy = tf.nn.sigmoid_cross_entropy_with_logits(labels=x, logits=logits)
            reconstruction = tf.reduce_mean(tf.reduce_sum(entropy, axis=[1, 2, 3]))
            log_variance = 2 * tf.math.log(code["scale"])
            # Near the prior, `variance - 1` would cancel in single precision.
            kl = 0.5 * (code["loc"] ** 2 + tf.math.expm1(log_variance) - log_variance)
            kl = tf.reduce_mean(tf.reduce_sum(kl, axis=1))
            loss = reconstruction + BETA * kl
        for i, gradient in enumerate(tape.gradient(loss, [w.value for w in weights])):
            first[i] = 0.9 * first[i] + 0.1 * gradient
            second[i] = 0.999 * second[i] + 0.001 * gradient**2
            rate = LEARNING_RATE * (1 - 0.999 ** (step + 1)) ** 0.5 / (1 - 0.9 ** (step + 1))
            weights[i].assign_sub(rate * first[i] / (tf.sqrt(second[i]) + 1e-7))
        rows.append([float(value) for value in (loss, reconstruction, kl)])
    return np.array(rows)


@pytest.mark.exhaustive
@pytest.mark.parametrize("steps_per_execution", [1, 12])
def test_logged_values_are_those_of_a_hand_written_loop(
    make_vae, images, tmp_path, steps_per_execution
):
    vae = make_vae(
        seed=SEED,
        beta=BETA,
        optimizer=keras.optimizers.Adam(LEARNING_RATE),
        compile_kwargs={"steps_per_execution": steps_per_execution},
    )
    twin = make_vae(seed=SEED, beta=BETA)
    batches = [images[8 * (step % 3) :][:8] for step in range(STEPS)]
    expected = hand_written_loop(twin.encoder, twin.decoder, batches)

    logger = ELBOLogger(tmp_path, print_table=False)
    epochs = -(-STEPS // 3)
    vae.fit(images, batch_size=8, shuffle=False, epochs=epochs, verbose=0, callbacks=[logger])
    frame = pandas.read_csv(tmp_path / "elbo.csv")
    assert list(frame["step"]) == [1, 2, 4, 8, 16, 32]
    logged = frame[["loss", "reconstruction_loss", "kl_loss"]].to_numpy()
    np.testing.assert_allclose(logged, expected[frame["step"] - 1], rtol=1e-5)
    np.testing.assert_allclose(frame["elbo"], -expected[frame["step"] - 1, 1:].sum(1), rtol=1e-5)
