"""Tests of the VAE: its loss, its logs, its one hook, and networks that do not fit."""

import keras
import numpy as np
import pytest
import tensorflow as tf
from by_hand import (
    BATCH,
    FIRST_EVALUATION,
    IMAGE_SHAPE,
    LATENTS,
    PIXELS,
    OwnEncoder,
    assert_terms_add_up,
    noise_of,
    terms_by_hand,
    trained_weights,
    weights_of,
)

import keras_vae

# The loss and the logs ---------------------------------------------------------------------


@pytest.mark.parametrize(
    ("reduction", "steps_per_execution", "jit_compile"),
    [("sum", 1, False), ("mean", 1, False), ("sum", 7, False), ("mean", 7, True)],
)
def test_loss_is_reconstruction_plus_beta_kl(
    make_vae, images, reduction, steps_per_execution, jit_compile
):
    vae = make_vae(
        beta=0.3,
        reduction=reduction,
        compile_kwargs={"steps_per_execution": steps_per_execution, "jit_compile": jit_compile},
    )
    # Under XLA every batch size costs a compilation: validation brings the ragged one of three.
    train = images[:16] if jit_compile else images
    history = vae.fit(
        train, validation_data=(images[:11],), batch_size=BATCH, epochs=2, verbose=0
    ).history
    assert len(history) == 10
    for epoch in range(2):
        logs = {name: values[epoch] for name, values in history.items()}
        assert_terms_add_up(logs)
        assert_terms_add_up(logs, prefix="val_")
        assert [logs["beta"], logs["val_beta"]] == pytest.approx([0.3, 0.3], rel=1e-6)
        assert logs["kl_loss"] > 0 and logs["val_kl_loss"] > 0


@pytest.mark.parametrize("beta", [0.0, 1.0, 4.0])
@pytest.mark.parametrize("reduction", ["sum", "mean"])
def test_evaluation_matches_the_formulas(make_vae, images, reduction, beta):
    vae = make_vae(beta=beta, reduction=reduction, eager=True)
    logs = vae.evaluate(images, batch_size=len(images), verbose=0, return_dict=True)
    noise = noise_of(vae, FIRST_EVALUATION, len(images))
    reconstruction, kl, _ = terms_by_hand(vae, images, noise)
    pixels, latents = (PIXELS, LATENTS) if reduction == "mean" else (1, 1)
    expected = {
        "loss": reconstruction.mean() / pixels + beta * kl.mean() / latents,
        "reconstruction_loss": reconstruction.mean() / pixels,
        "kl_loss": kl.mean() / latents,
        "elbo": -(reconstruction + kl).mean(),
        "beta": beta,
    }
    assert logs == pytest.approx(expected, rel=1e-5)


def test_means_over_an_epoch_count_examples_not_batches(make_vae, images):
    vae = make_vae(optimizer=keras.optimizers.SGD(0.0))
    logs = vae.fit(images, batch_size=BATCH, shuffle=False, verbose=0).history
    steps = [vae.step_logs(step) for step in (1, 2, 3)]
    for name in ("loss", "reconstruction_loss", "kl_loss", "elbo"):
        values = [step[name] for step in steps]
        assert len(set(values)) == 3
        assert logs[name][0] == pytest.approx(np.average(values, weights=[8, 8, 4]), rel=1e-5)


def test_the_kl_enters_by_add_loss(make_vae, images):
    vae = make_vae(beta=2.5, eager=True)
    logs = vae.test_on_batch(images, return_dict=True)
    reconstruction, weighted_kl = (float(loss) for loss in vae.losses)
    assert reconstruction == pytest.approx(logs["reconstruction_loss"], rel=1e-6)
    assert weighted_kl == pytest.approx(2.5 * logs["kl_loss"], rel=1e-6)
    assert logs["loss"] == pytest.approx(reconstruction + weighted_kl, rel=1e-6)


def test_beta_weights_the_gradient_of_the_kl_alone(make_vae, images):
    def gradient(beta):
        vae = make_vae(beta=beta, optimizer=keras.optimizers.SGD(1.0), eager=True)
        before = weights_of(vae)
        decoder_size = sum(weight.shape.num_elements() for weight in vae.decoder.weights)
        vae.train_on_batch(images)
        gradient = before - weights_of(vae)
        return gradient[:-decoder_size], gradient[-decoder_size:]

    (none, decoder_0), (one, decoder_1), (four, decoder_4) = map(gradient, (0.0, 1.0, 4.0))
    assert np.abs(one - none).max() > 0.01
    np.testing.assert_allclose(four - none, 4 * (one - none), atol=1e-5)
    np.testing.assert_allclose(decoder_1, decoder_0, atol=1e-6)
    np.testing.assert_allclose(decoder_4, decoder_0, atol=1e-6)


def test_beta_zero_has_the_gradient_of_the_reconstruction_alone(make_vae, images):
    vae = make_vae(beta=0.0, optimizer=keras.optimizers.SGD(1.0), eager=True)
    with tf.GradientTape() as tape:
        posterior = vae.encoder(images)
        z = posterior["loc"] + posterior["scale"] * noise_of(vae, 0, len(images))
        logits = vae.decoder(z)
        entropy = tf.nn.sigmoid_cross_entropy_with_logits(images, logits)
        loss = tf.reduce_mean(tf.reduce_sum(entropy, axis=(1, 2, 3)))
    expected = np.concatenate([np.ravel(g) for g in tape.gradient(loss, vae.trainable_weights)])
    before = weights_of(vae)
    logs = vae.train_on_batch(images, return_dict=True)
    np.testing.assert_allclose(before - weights_of(vae), expected, atol=1e-5)
    assert logs["kl_loss"] > 0
    assert logs["loss"] == pytest.approx(logs["reconstruction_loss"], rel=1e-6)


def test_assigning_beta_takes_effect_without_retracing(make_vae, images):
    traces = []

    class Counting(keras_vae.VAE):
        def regularizers(self, posterior, z, kl, training):
            traces.append(1)
            return super().regularizers(posterior, z, kl, training)

    vae = make_vae(Counting)
    vae.fit(images, batch_size=10, verbose=0)
    traced = len(traces)
    vae.beta = 7
    logs = vae.fit(images, batch_size=10, verbose=0).history
    assert len(traces) == traced
    assert logs["beta"] == pytest.approx([7.0], rel=1e-6)
    assert_terms_add_up({name: values[0] for name, values in logs.items()})
    assert isinstance(vae.beta, keras.Variable) and not vae.beta.trainable


@pytest.mark.parametrize("beta", [-1e-6, float("nan"), float("inf")])
def test_beta_must_be_finite_and_not_negative(make_vae, beta):
    with pytest.raises(ValueError, match=r"`beta`. Expected a finite number of at least 0. Rec"):
        make_vae(beta=beta)
    vae = make_vae(beta=0.5)
    with pytest.raises(ValueError, match=rf"Received: beta={beta}"):
        vae.beta = beta
    assert float(vae.beta) == 0.5


def test_compiling_with_a_loss_is_refused(make_vae):
    with pytest.raises(ValueError, match=r"compile it without the argument `loss`.*Received.*mse"):
        make_vae(compile_kwargs={"loss": "mse"})


def test_compiled_metrics_see_images_and_reconstructions(make_vae, images):
    vae = make_vae(eager=True, compile_kwargs={"metrics": ["mse"], "weighted_metrics": ["mae"]})
    labels, weights = np.arange(20), np.linspace(0, 1, 20, dtype=np.float32)
    logs = vae.evaluate(images, labels, 20, 0, sample_weight=weights, return_dict=True)
    _, _, mean = terms_by_hand(vae, images, noise_of(vae, FIRST_EVALUATION, 20))
    error = np.abs(images - mean).mean(axis=(1, 2, 3))
    assert logs["mse"] == pytest.approx(np.mean((images - mean) ** 2), rel=1e-5)
    assert logs["mae"] == pytest.approx(np.average(error, weights=weights), rel=1e-5)


# Regularisation ----------------------------------------------------------------------------


def regularized_vae(**dense):
    image = keras.Input(IMAGE_SHAPE)
    hidden = keras.layers.Dense(5, name="hidden", **dense)(keras.layers.Flatten()(image))
    parameters = {
        "loc": keras.layers.Dense(LATENTS)(hidden),
        "scale": keras.layers.Dense(LATENTS, activation="softplus")(hidden),
    }
    vae = keras_vae.VAE(
        keras.Model(image, parameters),
        keras_vae.networks.mlp_decoder(IMAGE_SHAPE, LATENTS, hidden_sizes=[5]),
        beta=0.5,
        seed=0,
    )
    vae.compile(keras.optimizers.SGD(0.0), jit_compile=False)
    return vae


def test_weight_regularizers_are_added_and_logged(images):
    vae = regularized_vae(kernel_regularizer=keras.regularizers.L2(0.1))
    history = vae.fit(images, validation_data=(images,), batch_size=BATCH, verbose=0).history
    logs = {name: values[0] for name, values in history.items()}
    penalty = 0.1 * np.sum(np.square(vae.encoder.get_layer("hidden").kernel))
    assert logs["regularization_loss"] == pytest.approx(penalty, rel=1e-5)
    assert_terms_add_up(logs, extra=[("regularization_loss", 1)])
    assert_terms_add_up(logs, prefix="val_", extra=[("regularization_loss", 1)])


def test_activity_regularizers_are_added_and_logged(images):
    vae = regularized_vae(activity_regularizer=keras.regularizers.L2(0.1))
    history = vae.fit(images, batch_size=BATCH, verbose=0).history
    logs = {name: values[0] for name, values in history.items()}
    assert logs["regularization_loss"] > 0
    assert_terms_add_up(logs, extra=[("regularization_loss", 1)])


def test_a_regularized_encoder_can_be_frozen(images):
    vae = regularized_vae(kernel_regularizer=keras.regularizers.L2(0.1))
    vae.encoder.trainable = False
    vae.compile(keras.optimizers.SGD(0.1), run_eagerly=True)
    before = vae.encoder.get_weights()
    logs = vae.train_on_batch(images, return_dict=True)
    for found, expected in zip(vae.encoder.get_weights(), before, strict=True):
        np.testing.assert_array_equal(found, expected)
    # Keras regularises trainable weights only.
    assert logs.get("regularization_loss", 0.0) == 0.0
    assert_terms_add_up(logs)


# The hook ----------------------------------------------------------------------------------


@keras.saving.register_keras_serializable("tests")
class CapacityVAE(keras_vae.VAE):
    """Burgess et al., "Understanding disentangling in beta-VAE" (2018), equation 8."""

    def __init__(self, *args, gamma=1.0, capacity=0.0, **kwargs):
        super().__init__(*args, **kwargs)
        self.gamma = gamma
        self.capacity = capacity

    def regularizers(self, posterior, z, kl, training):
        return {"capacity_loss": (self.gamma, tf.abs(kl - self.capacity))}

    def get_config(self):
        return {**super().get_config(), "gamma": self.gamma, "capacity": self.capacity}


@keras.saving.register_keras_serializable("tests")
class MomentMatchingVAE(keras_vae.VAE):
    """Adds the squared mean of the batch's codes: a maximum mean discrepancy, linear kernel."""

    def regularizers(self, posterior, z, kl, training):
        discrepancy = tf.reduce_sum(tf.square(tf.reduce_mean(z, axis=0)))
        return {**super().regularizers(posterior, z, kl, training), "mmd_loss": (10.0, discrepancy)}


@pytest.mark.slow
@pytest.mark.parametrize(
    ("member", "arguments", "name", "weight"),
    [
        (CapacityVAE, {"gamma": 3.0, "capacity": 0.4}, "capacity_loss", 3.0),
        (MomentMatchingVAE, {"beta": 0.5}, "mmd_loss", 10.0),
    ],
)
def test_the_term_of_a_family_member_is_weighted_added_logged_trained_and_saved(
    make_vae, images, tmp_path, member, arguments, name, weight
):
    vae = make_vae(member, **arguments)
    history = vae.fit(
        images, validation_data=(images,), batch_size=BATCH, shuffle=False, verbose=0
    ).history
    logs = {key: values[0] for key, values in history.items()}
    # The capacity member replaces the KL by its own term, and still logs it.
    kl_weight = 0.0 if member is CapacityVAE else 0.5
    for prefix in ("", "val_"):
        parts = [logs[prefix + key] for key in ("reconstruction_loss", "kl_loss", name)]
        assert min(parts) > 0
        assert logs[prefix + "loss"] == pytest.approx(
            np.dot(parts, [1.0, kl_weight, weight]), rel=1e-5
        )
    assert name in vae.step_logs(1)

    plain = make_vae(beta=arguments.get("beta", 1.0))
    assert np.abs(weights_of(vae) - trained_weights(plain, images, shuffle=False)).max() > 1e-3

    vae.save(tmp_path / "member.keras")
    again = keras.saving.load_model(tmp_path / "member.keras")
    assert type(again) is member
    assert {key: again.get_config()[key] for key in arguments} == arguments
    evaluated = (model.evaluate(images, verbose=0, return_dict=True) for model in (vae, again))
    assert next(evaluated) == pytest.approx(next(evaluated), rel=1e-6)


def test_weights_move_between_family_members(make_vae, images, tmp_path):
    vae = make_vae(beta=0.25)
    vae.fit(images, verbose=0)
    vae.save_weights(tmp_path / "vae.weights.h5")
    other = make_vae(MomentMatchingVAE)
    other.load_weights(tmp_path / "vae.weights.h5")
    np.testing.assert_array_equal(weights_of(other), weights_of(vae))
    assert float(other.beta) == 0.25


# Networks that do not fit ------------------------------------------------------------------


def encoder_returning(structure):
    image = keras.Input(IMAGE_SHAPE)
    return keras.Model(image, structure(keras.layers.Dense(2)(keras.layers.Flatten()(image))))


WRONG_NETWORKS = {
    "latent sizes": (
        lambda: keras_vae.networks.mlp_encoder(IMAGE_SHAPE, 3),
        lambda: keras_vae.networks.mlp_decoder(IMAGE_SHAPE, 5),
        r"differ in latent size: the encoder returns 3 latents.*\(None, 5\)",
    ),
    "tuple of parameters": (
        lambda: encoder_returning(lambda code: [code, code]),
        lambda: keras_vae.networks.mlp_decoder(IMAGE_SHAPE, 2),
        r"dict of `loc` and `scale`, both of shape \[batch, latent\]. Received: \[\(None, 2\)",
    ),
    "no scale": (
        lambda: encoder_returning(lambda code: {"loc": code, "log_var": code}),
        lambda: keras_vae.networks.mlp_decoder(IMAGE_SHAPE, 2),
        r"dict of `loc` and `scale`.*Received: {.*'log_var': \(None, 2\)",
    ),
    "scale of another size": (
        lambda: encoder_returning(lambda code: {"loc": code, "scale": code[:, :1]}),
        lambda: keras_vae.networks.mlp_decoder(IMAGE_SHAPE, 2),
        r"dict of `loc` and `scale`.*Received: {'loc': \(None, 2\), 'scale': \(None, 1\)}",
    ),
    "feature maps": (
        lambda: encoder_returning(lambda code: dict.fromkeys(("loc", "scale"), code[:, None])),
        lambda: keras_vae.networks.mlp_decoder(IMAGE_SHAPE, 2),
        r"both of shape \[batch, latent\]. Received: {'loc': \(None, 1, 2\)",
    ),
    "decoder shape": (
        lambda: keras_vae.networks.mlp_encoder(IMAGE_SHAPE, 2),
        lambda: keras_vae.networks.mlp_decoder((4, 4, 3), 2),
        r"`decoder` must.*Expected: \(None, 4, 4, 1\). Received: \(None, 4, 4, 3\)",
    ),
}


@pytest.mark.parametrize("fault", WRONG_NETWORKS)
def test_networks_that_do_not_fit_are_refused(fault):
    encoder, decoder, message = WRONG_NETWORKS[fault]
    with pytest.raises(ValueError, match=message):
        keras_vae.VAE(encoder(), decoder())


def test_subclassed_networks_that_do_not_fit_are_refused_before_the_first_step(images):
    vae = keras_vae.VAE(OwnEncoder(3), keras_vae.networks.mlp_decoder(IMAGE_SHAPE, 2))
    vae.compile("adam")
    with pytest.raises(ValueError, match=r"differ in latent size"):
        vae.fit(images, verbose=0)
    assert vae.optimizer.iterations == 0


@pytest.mark.parametrize(
    ("argument", "known"),
    [
        ("likelihood", ["bernoulli", "continuous_bernoulli", "gaussian"]),
        ("prior", ["standard_normal"]),
        ("reduction", ["sum", "mean"]),
    ],
)
def test_unknown_names_list_the_known_ones(make_vae, argument, known):
    with pytest.raises(ValueError) as raised:
        make_vae(**{argument: "cauchy"})
    message = str(raised.value)
    assert f"Invalid value for argument `{argument}`" in message
    assert f"Received: {argument}='cauchy'" in message
    assert all(repr(name) in message for name in known)
