"""The variational autoencoder as a Keras model."""

import functools
import inspect
import math
import numbers
import random
from collections.abc import Mapping

import keras
import numpy as np
import tensorflow as tf
from tensorflow_probability import distributions as tfd

from keras_vae import presets
from keras_vae.distributions import (
    get_likelihood,
    get_posterior,
    get_prior,
    is_factorized,
    kl_divergence,
    kl_per_dimension,
    reparameterized_sample,
    standard_normal,
)
from keras_vae.export import export_saved_model
from keras_vae.training import data_checks
from keras_vae.training.compiled_steps import compiled_train_function, loop_pays
from keras_vae.training.term_tracker import TermTracker
from keras_vae.workers import reducible_logs

REDUCTIONS = ("sum", "mean")


@keras.saving.register_keras_serializable(package="keras_vae")
class VAE(keras.Model):
    """A beta-VAE: encoder q(z|x), decoder p(x|z), trained on the beta-weighted negative ELBO.

    The loss of an example x, with z drawn once from q(z|x) by reparameterisation, is

        -log p(x|z) + beta * KL(q(z|x) || p(z))        (nats)

    which is the negative of equation 7 of Kingma & Welling, "Auto-Encoding Variational Bayes"
    (2014), at `beta=1`, and of equation 4 of Higgins et al., "beta-VAE" (2017), otherwise.
    `fit` and `evaluate` take images alone (`x`), or `(x,)`, `(x, y)`, `(x, y, sample_weight)`;
    `y` is not used. They log

    - `reconstruction_loss` and `kl_loss`, the two terms as they enter the loss, and `beta`, so
      that `loss == reconstruction_loss + beta * kl_loss` (plus any further terms by their names).
      While a schedule moves beta, an epoch's `beta` is its mean weighted by the KL, for which this
      still holds;
    - `elbo`, the plain evidence lower bound in nats an example, whatever beta or reduction.

    Args:
        encoder: Keras model from images `[batch, *event]` to a dict of `loc` and `scale`, both
            `[batch, latent]`. See `keras_vae.networks`.
        decoder: Keras model from codes `[batch, latent]` to the likelihood's parameters, for
            `"bernoulli"` the logits `[batch, *event]`.
        likelihood: `"bernoulli"`, `"continuous_bernoulli"`, `"gaussian"`, or a
            `keras_vae.distributions.Likelihood`. Defaults to `"bernoulli"`.
        prior: `"standard_normal"`, `"gaussian_mixture"`, or a layer with a
            `distribution(latent_dim)` method. Defaults to `"standard_normal"`.
        posterior: `"diagonal_normal"`, `"full_covariance_normal"`, `"coupling_flow"`, or a
            `keras_vae.distributions.Posterior`. Defaults to `"diagonal_normal"`.
        beta: Float, at least 0. Weight of the KL; 0 trains a plain autoencoder with noisy codes.
            It becomes a non-trainable weight: assign to `vae.beta` at any time. Defaults to `1.0`.
        reduction: `"sum"` sums over pixels and over latent dimensions; `"mean"` takes the mean
            over each instead. With N pixels and M latents, beta in the mean form is Higgins'
            beta_norm = beta * M / N of the sum form: 0.01 with M=10 and N=784 is 0.784 there.
            Defaults to `"sum"`.
        free_bits: Float, nats. What the KL of each latent, a mean over the batch, may be without
            adding to the loss: KL_i enters as max(free_bits, KL_i) (Kingma et al., "Improving
            variational inference with inverse autoregressive flow", 2016, equation 15, with one
            latent a group). Needs a factorised posterior and prior. Defaults to `0.0`.
        kl_balance: Float in (0, 1), for a prior that is learned. The share of the KL's gradient
            that moves the prior towards the posterior, the rest moving the posterior (Hafner et
            al., "Mastering Atari with discrete world models", 2021, algorithm 2, with 0.8).
            Defaults to `None`: the plain gradient of both.
        coefficients: `{name: float}`, for a subclass: further arguments of its constructor that are
            scalars of its loss. Each becomes what `beta` is, a non-trainable weight of that name
            which schedules may move, and part of the config. Defaults to `None`: no more.
        seed: Int. The noise of a training step is a function of `(seed, step, replica)` alone.
            Defaults to `None`, a seed drawn from Python's `random`, which
            `keras.utils.set_random_seed` fixes.

    Raises:
        ValueError: If an argument is invalid, or if encoder, decoder and likelihood do not fit.

    Input shape:
        `[batch, *event]`, floating point, inside the likelihood's support.

    Output shape:
        The same: the mean of p(x|z) at the mean of q(z|x).

    Example:
    >>> shape = (28, 28, 1)
    >>> vae = keras_vae.VAE(
    ...     encoder=keras_vae.networks.mlp_encoder(shape, latent_dim=10, hidden_sizes=[100, 100]),
    ...     decoder=keras_vae.networks.mlp_decoder(shape, latent_dim=10, hidden_sizes=[100, 100]),
    ... )
    >>> vae.compile(optimizer=keras.optimizers.Adam(1e-3))
    >>> vae.fit(images, epochs=10)
    """

    # What a member appends to the code before the decoder sees it.
    condition_dim = 0

    def __init__(
        self,
        encoder: keras.Model,
        decoder: keras.Model,
        likelihood="bernoulli",
        prior="standard_normal",
        beta: float = 1.0,
        reduction: str = "sum",
        seed: int | None = None,
        posterior="diagonal_normal",
        free_bits: float = 0.0,
        kl_balance: float | None = None,
        coefficients: Mapping | None = None,
        **kwargs,
    ):
        # Images reach the likelihood in float32 whatever the dtype policy; the networks, which
        # have policies of their own, cast what they are given.
        super().__init__(autocast=False, **kwargs)
        for argument, network in (("encoder", encoder), ("decoder", decoder)):
            if not isinstance(network, keras.layers.Layer):
                raise ValueError(
                    f"Invalid value for argument `{argument}`. Expected a Keras model. "
                    f"Received: {argument}={network!r}"
                )
        if reduction not in REDUCTIONS:
            raise ValueError(
                "Invalid value for argument `reduction`. Expected one of "
                f"{list(REDUCTIONS)}. Received: reduction={reduction!r}"
            )
        is_integer = isinstance(seed, numbers.Integral) and not isinstance(seed, bool)
        if seed is not None and not (is_integer and 0 <= seed < 2**31):
            raise ValueError(
                "Invalid value for argument `seed`. Expected an integer from 0 to 2**31 - 1. "
                f"Received: seed={seed!r}"
            )
        is_share = isinstance(kl_balance, numbers.Real) and 0 < kl_balance < 1
        if kl_balance is not None and not is_share:
            raise ValueError(
                "Invalid value for argument `kl_balance`. Expected a number between 0 and 1, or "
                f"None. Received: kl_balance={kl_balance}"
            )
        self.encoder = encoder
        self.decoder = decoder
        self.likelihood = get_likelihood(likelihood)
        self.prior = get_prior(prior)
        self.posterior = get_posterior(posterior)
        self.reduction = reduction
        self.free_bits = _checked_coefficient("free_bits", free_bits)
        self.kl_balance = kl_balance
        self.seed = random.randrange(2**31) if seed is None else int(seed)
        self._coefficients = {}
        self._beta = self._add_coefficient("beta", beta)
        for name, value in (coefficients or {}).items():
            setattr(self, name, self._add_coefficient(name, value))
        # Only draws when training without an optimizer, where there are no iterations to count.
        self._seed_generator = keras.random.SeedGenerator(self.seed)
        self.latent_dim = None
        self._event_shape = None
        self._elbo_tracker = TermTracker()
        encoder_input = getattr(encoder, "input_shape", None) if encoder.built else None
        if isinstance(encoder_input, tuple):
            self.build(encoder_input)

    @property
    def beta(self):
        """The weight of the KL, a scalar variable. Assign a float to change it."""
        return self._beta

    @beta.setter
    def beta(self, value):
        self._beta.assign(_checked_coefficient("beta", value))

    def _add_coefficient(self, name, value):
        self._coefficients[name] = _checked_coefficient(name, value)
        return self.add_weight(
            shape=(),
            initializer=keras.initializers.Constant(self._coefficients[name]),
            dtype="float32",
            autocast=False,
            trainable=False,
            name=name,
        )

    @property
    def event_shape(self) -> tuple[int, ...] | None:
        """The shape of one image; `None` until the model is built."""
        return self._event_shape

    def build(self, input_shape):
        """Builds both networks and checks that they fit each other.

        Args:
            input_shape: `(batch, *event)`; the batch may be `None`.
        """
        if self.built:
            return
        event_shape = tuple(input_shape[1:])
        posterior = self.encoder(keras.KerasTensor((None, *event_shape)))
        latent_dim = _latent_dim(posterior)
        code_dim = latent_dim + self.condition_dim
        expected = getattr(self.decoder, "input_shape", None) if self.decoder.built else None
        if isinstance(expected, tuple) and expected != (None, code_dim):
            added = f" and {self.condition_dim} for the condition" if self.condition_dim else ""
            raise ValueError(
                f"`encoder` and `decoder` differ in latent size: the encoder returns {latent_dim} "
                f"latents{added}, the decoder takes inputs of shape {expected}. Build the decoder "
                f"with `latent_dim={code_dim}`."
            )
        parameters = self.decoder(keras.KerasTensor((None, code_dim)))
        for shape in {tuple(p.shape) for p in keras.tree.flatten(parameters)}:
            if shape[1:] != event_shape:
                raise ValueError(
                    "`decoder` must return the likelihood's parameters in the shape of the images. "
                    f"Expected: {(None, *event_shape)}. Received: {shape}"
                )
        parts = (self.likelihood, event_shape), (self.prior, (latent_dim,))
        for part, shape in (*parts, (self.posterior, (latent_dim,))):
            if not part.built:
                part.build((None, *shape))
        self.latent_dim = latent_dim
        self._event_shape = event_shape
        self.built = True

    # The model -----------------------------------------------------------------------------

    def encode(self, x) -> tfd.Distribution:
        """The approximate posterior q(z|x).

        Args:
            x: Images, `[batch, *event]`.

        Returns:
            A distribution of batch shape `[batch]` and event shape `[latent]`.
        """
        return self.posterior.distribution(
            self.encoder(data_checks.as_float_images(x, self.event_shape))
        )

    def decode(self, z) -> tfd.Distribution:
        """The likelihood p(x|z).

        Args:
            z: Codes, `[batch, latent]`.

        Returns:
            A distribution of batch shape `[batch]` and event shape `[*event]`.
        """
        return self.likelihood.distribution(self.decoder(z))

    def prior_distribution(self) -> tfd.Distribution:
        """The prior p(z), of event shape `[latent]`."""
        return self.prior.distribution(self.latent_dim)

    def reparameterize(self, posterior: tfd.Distribution, noise) -> tf.Tensor:
        """A sample of q(z|x) as a differentiable function of it and of noise.

        Args:
            posterior: q(z|x), of batch shape `[batch]`.
            noise: Standard normal, `[..., batch, latent]`.

        Returns:
            `[..., batch, latent]`.
        """
        return reparameterized_sample(posterior, noise)

    def kl_divergence(self, posterior: tfd.Distribution, z) -> tf.Tensor:
        """KL(q(z|x) || p(z)) in nats, `[batch]`.

        In closed form where there is one, which does not use `z`; otherwise its estimate
        log q(z|x) - log p(z).

        Args:
            posterior: q(z|x), of batch shape `[batch]`.
            z: A sample of it, `[batch, latent]`.

        Raises:
            ValueError: If `kl_balance` is set, but the KL to a prior that is not learned.
        """
        prior = self.prior_distribution()
        kl = kl_divergence(posterior, prior)
        if kl is not None:
            if self.kl_balance is not None:
                raise ValueError(
                    "`kl_balance` is for a prior that is learned, such as 'gaussian_mixture'. "
                    f"Received: kl_balance={self.kl_balance} with prior {self.prior.name!r}"
                )
            return kl
        log_posterior = posterior.log_prob(z)
        kl = log_posterior - prior.log_prob(z)
        if self.kl_balance is None:
            return kl
        moves_prior = tf.stop_gradient(log_posterior) - prior.log_prob(tf.stop_gradient(z))
        # The gradient of the KL is the sum of what moves either.
        moves_posterior = kl - moves_prior + tf.stop_gradient(moves_prior)
        return self.kl_balance * moves_prior + (1 - self.kl_balance) * moves_posterior

    def kl_per_dimension(self, posterior: tfd.Distribution) -> tf.Tensor:
        """KL(q(z_i|x) || p(z_i)) in nats, `[batch, latent]`.

        Raises:
            ValueError: If posterior or prior does not factorise over the latents.
        """
        return kl_per_dimension(posterior, self.prior_distribution())

    def divergence(self, posterior: tfd.Distribution, z, kl) -> dict:
        """What the loss adds to the reconstruction term: the hook that a family member overrides.

        Every entry is weighted, added to the loss and logged under its name without more code.

        Args:
            posterior: q(z|x), of batch shape `[batch]` and event shape `[latent]`.
            z: One sample of it, `[batch, latent]`.
            kl: KL(q(z|x) || p(z)) in nats, `[batch]`. Logged as `kl_loss` in any case.

        Returns:
            `{name: (weight, nats)}`, the nats of shape `[batch]` or scalar.
        """
        if self.free_bits:
            means = tf.reduce_mean(self.kl_per_dimension(posterior), axis=0)
            kl = tf.reduce_sum(tf.maximum(means, self.free_bits))
        return {"kl_loss": (self.beta, kl)}

    def objective(self, x, training: bool) -> tuple[tf.Tensor, dict]:
        """One pass with a sample of q(z|x): the hook for what `divergence` cannot do.

        Args:
            x: Images, `[batch, *event]`.
            training: Bool. Whether the noise is this step's, instead of evaluation's.

        Returns:
            The mean of p(x|z), `[batch, *event]`, and a dict: `reconstruction` (-log p(x|z), nats,
            `[batch]`), `kl` (nats, `[batch]`), `z` (`[batch, latent]`) and `divergence` (what the
            method of that name returns).
        """
        posterior = self.encode(x)
        z = self.reparameterize(posterior, self.noise(tf.shape(x)[0], training))
        likelihood = self.decode(z)
        kl = self.kl_divergence(posterior, z)
        return likelihood.mean(), {
            "reconstruction": -likelihood.log_prob(x),
            "kl": kl,
            "z": z,
            "divergence": self.divergence(posterior, z, kl),
        }

    def call(self, x, training: bool = False, return_terms: bool = False):
        """Reconstructs images: the mean of p(x|z).

        Args:
            x: Images, `[batch, *event]`.
            training: Bool. Whether z is a sample of q(z|x) with this step's noise, instead of its
                mean. Defaults to `False`.
            return_terms: Bool. Whether to return the terms of the loss as well, for which z is a
                sample even outside training. Defaults to `False`.

        Returns:
            The reconstruction `[batch, *event]`, or with `return_terms` what `objective` returns.
        """
        x = data_checks.as_float_images(x)
        if not (training or return_terms):
            return self.decode(self.encode(x).mean()).mean()
        reconstruction, terms = self.objective(x, training)
        if not return_terms:
            return reconstruction
        terms["divergence"] = {
            name: (tf.convert_to_tensor(weight, tf.float32), nats)
            for name, (weight, nats) in terms["divergence"].items()
        }
        return reconstruction, terms

    def reconstruct(self, x, batch_size: int = 1024) -> tf.Tensor:
        """Images as the model sees them: the mean of p(x|z) at the mean of q(z|x).

        Args:
            x: Images, `[n, *event]`.
            batch_size: Int. How many pass through the networks at once. Defaults to `1024`.

        Returns:
            `[n, *event]`, float32. Deterministic.
        """
        return _in_batches(lambda batch: self(batch, training=False), x, batch_size)

    def embed(self, x, batch_size: int = 1024) -> tf.Tensor:
        """The means of q(z|x).

        Args:
            x: Images, `[n, *event]`.
            batch_size: Int. How many pass through the encoder at once. Defaults to `1024`.

        Returns:
            `[n, latent]`, float32. Deterministic.
        """
        return _in_batches(lambda batch: self.encode(batch).mean(), x, batch_size)

    def sample(self, n: int, seed: int | None = None, batch_size: int = 1024) -> tf.Tensor:
        """New images: the mean of p(x|z) at samples of the prior.

        Args:
            n: Int. How many.
            seed: Int. The same seed gives the same codes. Defaults to `None`: new ones each call.
            batch_size: Int. How many pass through the decoder at once. Defaults to `1024`.

        Returns:
            `[n, *event]`, float32.
        """
        self._check_built("sample")
        check_count("n", n)
        seed = random.randrange(2**31) if seed is None else seed
        z = self.prior_distribution().sample(n, seed=tf.constant([seed, 0]))
        return _in_batches(lambda batch: self.decode(batch).mean(), z, batch_size)

    # Training ------------------------------------------------------------------------------

    def compile(
        self,
        optimizer="rmsprop",
        loss=None,
        *,
        steps_per_execution: int = 1,
        jit_compile: bool | str = "auto",
        **kwargs,
    ):
        """Configures training, as `keras.Model.compile` does.

        Args:
            optimizer: A Keras optimizer or the name of one. Defaults to `"rmsprop"`.
            loss: Nothing: a VAE computes its own.
            steps_per_execution: Int. Training steps a call; 64 is much faster than 1 on small
                images, and batch callbacks then run once every 64 steps. Defaults to `1`.
            jit_compile: Bool, whether to compile with XLA; or `"auto"`, which does on accelerators
                and, unlike Keras, with `steps_per_execution` over 1 also on CPUs, unless there are
                convolutions, which XLA slows down there. Defaults to `"auto"`.
            **kwargs: As `keras.Model.compile` takes them.
        """
        check_count("steps_per_execution", steps_per_execution)
        if jit_compile == "auto" and steps_per_execution > 1 and not kwargs.get("run_eagerly"):
            jit_compile = not self._is_distributed() and loop_pays(self)
        super().compile(
            optimizer,
            loss,
            steps_per_execution=steps_per_execution,
            jit_compile=jit_compile,
            **kwargs,
        )

    def compile_from_config(self, config: dict):
        """Compiles as a saved model was, and makes room for its optimizer's state."""
        self.compile(**keras.saving.deserialize_keras_object(config))
        if self.built and self.optimizer is not None:
            self.optimizer.build(self.trainable_variables)

    def inputs_of(self, data) -> tuple:
        """What of a batch of `fit` goes into `call`, and its sample weights or `None`."""
        x, _, sample_weight = keras.utils.unpack_x_y_sample_weight(data)
        return x, sample_weight

    def train_step(self, data) -> dict:
        """One step of stochastic gradient variational Bayes; the KL enters by `add_loss`."""
        x, sample_weight = self.inputs_of(data)
        step = self._steps_taken()
        with tf.GradientTape() as tape:
            loss, reconstruction, logged = self._score(x, sample_weight, training=True)
            scaled_loss = self.optimizer.scale_loss(loss)
        weights = self.trainable_weights
        gradients = tape.gradient(scaled_loss, weights)
        # Before the control dependencies, under which XLA cannot create variables.
        if not self.optimizer.built:
            self.optimizer.build(weights)
        # A batch that the data pipeline refuses must not count as a step.
        with tf.control_dependencies([scaled_loss]):
            if weights:
                self.optimizer.apply_gradients(zip(gradients, weights, strict=True))
        self._elbo_tracker.update_state(logged, step=step)
        return reducible_logs(self.compute_metrics(x, x, reconstruction, sample_weight))

    def test_step(self, data) -> dict:
        """The same terms on held-out data, with noise that is the same at every evaluation."""
        x, sample_weight = self.inputs_of(data)
        _, reconstruction, logged = self._score(x, sample_weight, training=False)
        self._elbo_tracker.update_state(logged)
        return reducible_logs(self.compute_metrics(x, x, reconstruction, sample_weight))

    def compute_metrics(self, x, y, y_pred, sample_weight=None) -> dict:
        """Scores reconstructions against the images, whatever labels came with them."""
        images = data_checks.images_of(x)
        return super().compute_metrics(images, images, y_pred, sample_weight)

    def step_logs(self, step: int) -> dict | None:
        """What one recent training step saw: its own batch's values, not running means.

        Args:
            step: Int. Number of the batch, counted from 1 since the optimizer's first.

        Returns:
            `{name: float}` with the names of the logs, or `None` for a step that is no longer, or
            not yet, remembered. The last 1024 are.
        """
        return self._elbo_tracker.step_logs(step)

    def _score(self, x, sample_weight, training):
        """Adds the terms of the loss, and returns it with the reconstruction and what to log."""
        if self.loss is not None:
            raise ValueError(
                "A VAE computes its own loss: compile it without the argument `loss`. "
                f"Received: loss={self.loss!r}"
            )
        # Entering `call` clears the losses of the step before.
        reconstruction, terms = self(x, training=training, return_terms=True)
        self._find_terms()
        regularization = self.losses
        batch_size = tf.shape(reconstruction)[0]
        weights = data_checks.example_weights(sample_weight, batch_size)

        def batch_mean(nats, divisor):
            # A replica may go empty-handed when the last batch is smaller.
            total = tf.reduce_sum(weights * nats)
            return total / tf.cast(tf.maximum(batch_size, 1), tf.float32) / divisor

        mean = self.reduction == "mean"
        pixels, latents = (math.prod(self.event_shape), self.latent_dim) if mean else (1, 1)
        logged = {
            "reconstruction_loss": batch_mean(terms["reconstruction"], pixels),
            "kl_loss": batch_mean(terms["kl"], latents),
            "beta": tf.convert_to_tensor(self.beta),
        }
        self.add_loss(logged["reconstruction_loss"])
        for name, (weight, nats) in terms["divergence"].items():
            logged[name] = batch_mean(nats, latents)
            self.add_loss(weight * logged[name])
        if regularization:
            logged["regularization_loss"] = tf.add_n(regularization)
            # Activity regularisers do not show in a symbolic pass.
            self._elbo_tracker.build(dict.fromkeys([*self._elbo_tracker.names, *logged]))
        loss = self.compute_loss(x, x, reconstruction, sample_weight, training=training)
        # Keras divides what `add_loss` adds by the number of replicas; logs show the whole.
        logged["loss"] = loss * tf.distribute.get_strategy().num_replicas_in_sync
        logged = {name: (value, batch_size) for name, value in logged.items()}
        # Weighted by the KL, the epoch's beta times the epoch's KL is the mean of their products,
        # also while a schedule moves beta.
        beta, _ = logged["beta"]
        kl, _ = logged["kl_loss"]
        logged["beta"] = (beta, tf.cast(batch_size, tf.float32) * (tf.abs(kl) + 1e-12))
        total_weight = tf.reduce_sum(weights)
        elbo = -tf.reduce_sum(weights * (terms["reconstruction"] + terms["kl"]))
        logged["elbo"] = (tf.math.divide_no_nan(elbo, total_weight), total_weight)
        return loss, reconstruction, logged

    def _steps_taken(self):
        """Batches trained on so far, an int32 scalar.

        `optimizer.iterations` counts updates, which are fewer where gradients accumulate.
        """
        optimizer = getattr(self.optimizer, "inner_optimizer", self.optimizer)
        return tf.cast(optimizer._iterations, tf.int32)

    def _find_terms(self):
        """Learns the names of what is logged, by a symbolic pass through `divergence`."""
        if not self.built or self._elbo_tracker.built:
            return
        image = keras.KerasTensor((None, *self.event_shape))
        _, terms = self.compute_output_spec(image, training=True, return_terms=True)
        names = ["loss", "reconstruction_loss", "kl_loss", "elbo", "beta", *terms["divergence"]]
        if self.losses:
            names.append("regularization_loss")
        with self.distribute_strategy.scope():
            self._elbo_tracker.build(dict.fromkeys(names))

    def make_train_function(self, force: bool = False):
        """Makes the function that a step of `fit` calls, after learning what there is to log."""
        if self.train_function is not None and not force:
            return
        self._elbo_tracker.built = False
        self._find_terms()
        if self.built and not self.optimizer.built:
            self.optimizer.build(self.trainable_weights)
        super().make_train_function(force)
        several_steps = self.jit_compile and self.steps_per_execution > 1
        if several_steps and not self._is_distributed() and loop_pays(self):
            self.train_function = compiled_train_function(self, self.train_function)

    def _maybe_symbolic_build(self, iterator=None, data_batch=None):
        # Under a strategy Keras begins to iterate over the data only to build what is not built,
        # and the data's first epoch, where a resumed run goes on, would be spent on that.
        metrics = getattr(self, "_compile_metrics", None)
        if not self.built or not (metrics is None or metrics.built):
            super()._maybe_symbolic_build(iterator, data_batch)
            return
        self._find_terms()
        if getattr(self, "optimizer", None) is not None and not self.optimizer.built:
            with self.distribute_strategy.scope():
                self.optimizer.build(self.trainable_weights)

    def make_test_function(self, force: bool = False):
        """Makes the function that a step of `evaluate` calls, after learning what to log."""
        self._find_terms()
        return super().make_test_function(force)

    def _is_distributed(self):
        return isinstance(self._distribute_strategy, tf.distribute.Strategy)

    def noise(self, batch_size, training: bool, num_samples: int | None = None, stream: int = 0):
        """Standard normal noise: a function of the model's seed and the step.

        Args:
            batch_size: Int scalar.
            training: Bool. Whether it is a training step's, instead of evaluation's.
            num_samples: Int. How many numbers each latent of an example gets. Defaults to `None`:
                one, without an axis for it.
            stream: Int. 0 is what reparameterisation uses; another is independent of it. Defaults
                to `0`.

        Returns:
            `[batch_size, latent]`, or `[batch_size, num_samples, latent]`.
        """
        replica = tf.distribute.get_replica_context()
        replicas = replica.num_replicas_in_sync if replica is not None else 1
        samples = () if num_samples is None else (num_samples,)
        shape = [replicas * batch_size, *samples, self.latent_dim]
        # Drawn for the global batch, of which each replica takes its part: so the noise of an
        # example does not depend on how many replicas share the work.
        noise = standard_normal(shape, self.noise_seed(training, stream))
        if replicas == 1:
            return noise
        start = replica.replica_id_in_sync_group * batch_size
        return noise[start : start + batch_size]

    def noise_seed(self, training: bool, stream: int = 0) -> tf.Tensor:
        """The seed of this step's noise for stateless operations, int32 `[2]`; see `noise`."""
        first = (self.seed + 1_000_003 * stream) % 2**31
        if not training:
            # Evaluation resets its metrics first: the count tells the batches of one apart. Being
            # negative, it meets no training step.
            replicas = tf.distribute.get_strategy().num_replicas_in_sync
            return tf.stack([first, -1 - replicas * self._elbo_tracker.num_examples()])
        if getattr(self, "optimizer", None) is not None:
            return tf.stack([first, self._steps_taken()])
        return tf.cast(self._seed_generator.next(), tf.int32)

    def prior_sample(self, batch_size, training: bool) -> tf.Tensor:
        """Draws of the prior, `[batch_size, latent]`, that do not depend on the codes' noise."""
        prior = self.prior_distribution()
        if is_factorized(prior):
            return reparameterized_sample(prior, self.noise(batch_size, training, stream=1))
        return prior.sample(batch_size, seed=self.noise_seed(training, stream=1))

    @functools.wraps(keras.Model.fit)
    def fit(self, *args, **kwargs):
        """Checks the data, then trains as `keras.Model.fit` does."""
        return self._with_checks(super().fit, keras.Model.fit, args, kwargs)

    @functools.wraps(keras.Model.evaluate)
    def evaluate(self, *args, **kwargs):
        """Checks the data, then evaluates as `keras.Model.evaluate` does."""
        return self._with_checks(super().evaluate, keras.Model.evaluate, args, kwargs)

    @functools.wraps(keras.Model.train_on_batch)
    def train_on_batch(self, *args, **kwargs):
        """Checks the batch, then trains on it as `keras.Model.train_on_batch` does."""
        return self._with_checks(super().train_on_batch, keras.Model.train_on_batch, args, kwargs)

    @functools.wraps(keras.Model.test_on_batch)
    def test_on_batch(self, *args, **kwargs):
        """Checks the batch, then tests on it as `keras.Model.test_on_batch` does."""
        return self._with_checks(super().test_on_batch, keras.Model.test_on_batch, args, kwargs)

    def _with_checks(self, method, signature_of, args, kwargs):
        """Calls a method of Keras with its data replaced by the same data with checks."""
        bound = inspect.signature(signature_of).bind(self, *args, **kwargs)
        arguments = bound.arguments
        check = data_checks.ImageCheck(
            self.event_shape, self.likelihood.lower, self.likelihood.upper
        )
        cached = arguments.get("kwargs", {}).get("_use_cached_eval_dataset")
        if arguments.get("x") is None and not cached:
            raise ValueError(f"`{signature_of.__name__}` needs images. Received: x=None")
        if isinstance(arguments.get("x"), tuple):
            raise ValueError(
                f"`{signature_of.__name__}` takes images as `x`, labels as `y` and weights as "
                "`sample_weight`. Received: x=a tuple. Pass its parts one by one, or a data set "
                "of them."
            )
        if arguments.get("batch_size") is not None:
            check_count("batch_size", arguments["batch_size"])
        for name in ("x", "validation_data"):
            # What `fit` has cached for validation was checked there.
            if arguments.get(name) is not None and not cached:
                arguments[name] = check.wrap(arguments[name])
        if arguments.get("sample_weight") is not None and hasattr(arguments["x"], "shape"):
            check.check_weights(arguments["sample_weight"], len(arguments["x"]))
        if arguments.get("sample_weight") is not None and arguments.get("y") is None:
            # Keras drops the weights of data without targets.
            arguments["y"] = np.zeros(len(arguments["x"]), np.float32)
        if "shuffle" in inspect.signature(signature_of).parameters and isinstance(
            arguments["x"], tf.data.Dataset
        ):
            # Keras warns of its own default here: data sets shuffle themselves.
            arguments.setdefault("shuffle", False)
        with check.errors_made_clear():
            return method(*bound.args[1:], **bound.kwargs)

    def _check_built(self, method):
        if not self.built:
            raise ValueError(
                f"`{method}` needs a built model. Call the model on a batch of images, or "
                "`build((None, height, width, channels))`, first."
            )

    # Saving --------------------------------------------------------------------------------

    def export(self, filepath, format: str = "tf_saved_model", verbose: bool = True, **kwargs):
        """Exports the model for inference.

        A TensorFlow SavedModel gets the signatures `reconstruct` (the default), `encode`, `decode`
        and `sample`, and serves without this package; any other format gets what
        `keras.Model.export` writes. Both are deterministic.

        Args:
            filepath: Where to.
            format: As `keras.Model.export` takes it. Defaults to `"tf_saved_model"`.
            verbose: Bool. Whether to print the signatures. Defaults to `True`.
            **kwargs: For other formats, passed on.
        """
        self._check_built("export")
        if format == "tf_saved_model":
            export_saved_model(self, filepath, verbose)
        else:
            super().export(filepath, format=format, verbose=verbose, **kwargs)

    def get_config(self) -> dict:
        """The constructor's arguments, parts serialised; coefficients as they were at the start."""
        return {
            **super().get_config(),
            "encoder": keras.saving.serialize_keras_object(self.encoder),
            "decoder": keras.saving.serialize_keras_object(self.decoder),
            "likelihood": keras.saving.serialize_keras_object(self.likelihood),
            "prior": keras.saving.serialize_keras_object(self.prior),
            "posterior": keras.saving.serialize_keras_object(self.posterior),
            "reduction": self.reduction,
            "free_bits": self.free_bits,
            "kl_balance": self.kl_balance,
            "seed": self.seed,
            **self._coefficients,
        }

    @classmethod
    def from_preset(cls, preset: str):
        """Loads a trained model.

        Args:
            preset: A name from `keras_vae.presets.names()`, or a folder that `save_to_preset`
                wrote.

        Returns:
            The model, compiled with Adam at a learning rate of 0.001: ready to `fit`.

        Raises:
            ValueError: If there is no such preset, it is damaged or altered, or it is no `cls`.
        """
        model = presets.load(preset)
        if not isinstance(model, cls):
            raise ValueError(
                f"Preset {preset!s} is a {type(model).__name__}. Expected: a {cls.__name__}. Load "
                f"it with `{type(model).__name__}.from_preset`."
            )
        return model

    def save_to_preset(self, directory, **details):
        """Saves the model, without its optimizer's state, with a card that describes it.

        Args:
            directory: The preset's folder, made if need be; its name is the preset's name.
            **details: What else the card should say, such as `description` or `figures`.
        """
        presets.save(self, directory, **details)

    @classmethod
    def from_config(cls, config: dict, custom_objects: dict | None = None):
        """The model that `get_config` describes, untrained."""
        config = {
            name: keras.saving.deserialize_keras_object(value, custom_objects=custom_objects)
            if isinstance(value, Mapping) and "class_name" in value
            else value
            for name, value in config.items()
        }
        return cls(**config)


def _checked_coefficient(name, value):
    try:
        number = float(value)
    except (TypeError, ValueError):
        number = math.nan
    # It is held in single precision, in which larger ones are infinite.
    if not 0 <= number <= np.finfo(np.float32).max:
        raise ValueError(
            f"Invalid value for `{name}`. Expected a finite number of at least 0. Received: {value}"
        )
    return number


def check_count(argument: str, value):
    """Raises a `ValueError` unless an argument is a positive integer."""
    if not isinstance(value, numbers.Integral) or value < 1:
        raise ValueError(
            f"Invalid value for argument `{argument}`. Expected a positive integer. "
            f"Received: {argument}={value!r}"
        )


def _latent_dim(parameters):
    """The number of latents that an encoder's symbolic output has."""
    shapes = (
        {name: tuple(p.shape) for name, p in parameters.items()}
        if isinstance(parameters, Mapping)
        else {}
    )
    fits = {"loc", "scale"} <= shapes.keys() and shapes["loc"] == shapes["scale"]
    if not fits or len(shapes["loc"]) != 2:
        raise ValueError(
            "`encoder` must return a dict of `loc` and `scale`, both of shape [batch, latent]. "
            f"Received: {keras.tree.map_structure(lambda p: tuple(p.shape), parameters)}"
        )
    return shapes["loc"][-1]


def _in_batches(function, x, batch_size):
    """Applies a function batch by batch, so that memory does not grow with the data."""
    if keras.backend.is_keras_tensor(x) or len(x) <= batch_size:
        return function(x)
    starts = range(0, len(x), batch_size)
    return tf.concat([function(x[start : start + batch_size]) for start in starts], axis=0)
