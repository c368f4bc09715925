"""The same training, written in several ways.

Every rival trains the MLP beta-VAE of `examples/mnist.py` (or other sizes) on the same images with
Adam: `rival(images, sizes)` returns `run(steps)`, which trains that many steps and blocks until
they are done. They share nothing but the sizes, as separate users would have written them.
"""

import math
from dataclasses import dataclass

import numpy as np


@dataclass(frozen=True)
class Sizes:
    """What a run trains.

    Attributes:
        batch: Images a step.
        hidden: Units of both hidden layers, encoder and decoder alike.
        latent: Latents.
        pixels: Pixels an image.
    """

    batch: int = 64
    hidden: int = 100
    latent: int = 10
    pixels: int = 784

    @property
    def layers(self) -> list[tuple[int, int]]:
        """`(inputs, outputs)` of every weight matrix, in the order of the forward pass."""
        encoder = [(self.pixels, self.hidden), (self.hidden, self.hidden)]
        decoder = [(self.latent, self.hidden), (self.hidden, self.hidden)]
        return [*encoder, (self.hidden, 2 * self.latent), *decoder, (self.hidden, self.pixels)]


RATE = 1e-3
BETA = 0.01


def ours(images, sizes, steps_per_execution=64, callbacks=()):
    """`keras_vae` with `fit`, many steps an execution."""
    import keras_vae

    import keras

    shape = (sizes.pixels,)
    vae = keras_vae.VAE(
        keras_vae.networks.mlp_encoder(shape, sizes.latent, [sizes.hidden] * 2, scale="square"),
        keras_vae.networks.mlp_decoder(shape, sizes.latent, [sizes.hidden] * 2),
        beta=BETA,
        reduction="mean",
        seed=0,
    )
    vae.compile(keras.optimizers.Adam(RATE), steps_per_execution=steps_per_execution)
    batches = keras_vae.datasets.from_arrays(images, batch_size=sizes.batch).repeat()
    given = {"callbacks": list(callbacks), "verbose": 0}
    return lambda steps: vae.fit(batches, steps_per_epoch=steps, **given)


def ours_as_it_comes(images, sizes):
    """`keras_vae` with `fit` and no argument but the optimizer."""
    return ours(images, sizes, steps_per_execution=None)


def ours_step_by_step(images, sizes):
    """`keras_vae` with `fit`, one step an execution, as a callback with a batch hook has it."""
    return ours(images, sizes, steps_per_execution=1)


def ours_looked_at(images, sizes):
    """`keras_vae` with `fit`, no argument but the optimizer, and a batch hook of the user's."""
    import keras

    class Hook(keras.callbacks.Callback):
        def on_train_batch_end(self, batch, logs=None):
            pass

    return ours(images, sizes, steps_per_execution=None, callbacks=[Hook()])


def stock_fit(images, sizes):
    """A Keras model as tutorials write it: own `train_step`, `Mean` trackers, stock `fit`."""
    import keras

    return stock_training(*_keras_networks(keras, sizes), images, sizes.batch)


def stock_training(encoder, decoder, images, batch):
    """`run` of such a model of two networks."""
    import keras
    import tensorflow as tf

    class VAE(keras.Model):
        def __init__(self):
            super().__init__()
            self.encoder, self.decoder = encoder, decoder
            self.trackers = [keras.metrics.Mean(name=n) for n in ("loss", "reconstruction", "kl")]
            self.seeds = keras.random.SeedGenerator(0)

        @property
        def metrics(self):
            return self.trackers

        def train_step(self, data):
            with tf.GradientTape() as tape:
                mean, root = tf.split(self.encoder(data), 2, axis=-1)
                log_variance = 2 * tf.math.log(tf.square(root) + 1e-6)
                noise = keras.random.normal(tf.shape(mean), seed=self.seeds)
                logits = self.decoder(mean + tf.exp(0.5 * log_variance) * noise)
                reconstruction = tf.reduce_mean(
                    keras.losses.binary_crossentropy(data, logits, from_logits=True)
                )
                kl = -0.5 * (1 + log_variance - tf.square(mean) - tf.exp(log_variance))
                kl = tf.reduce_mean(kl)
                loss = reconstruction + BETA * kl
            gradients = tape.gradient(loss, self.trainable_weights)
            self.optimizer.apply_gradients(zip(gradients, self.trainable_weights, strict=True))
            for tracker, value in zip(self.trackers, (loss, reconstruction, kl), strict=True):
                tracker.update_state(value)
            return {tracker.name: tracker.result() for tracker in self.trackers}

    vae = VAE()
    vae.compile(optimizer=keras.optimizers.Adam(RATE))
    rows = len(images) // batch * batch

    def run(steps):
        left = steps
        while left > 0:
            some = min(rows, left * batch)
            vae.fit(images[:some], batch_size=batch, epochs=1, verbose=0)
            left -= some // batch

    return run


def eager(images, sizes, compiled=None):
    """The published loop: Keras networks, TFP distributions, a tape and an optimizer, eager."""
    import keras
    import tensorflow as tf
    from tensorflow_probability import distributions as tfd

    encoder, decoder = _keras_networks(keras, sizes)
    optimizer = keras.optimizers.Adam(RATE)
    weights = encoder.trainable_weights + decoder.trainable_weights
    optimizer.build(weights)
    prior = tfd.Normal(0.0, 1.0)

    def step(x):
        with tf.GradientTape() as tape:
            loc, root = tf.split(encoder(x), 2, axis=-1)
            posterior = tfd.Normal(loc, tf.square(root) + 1e-6)
            likelihood = tfd.Bernoulli(logits=decoder(posterior.sample()))
            reconstruction = -tf.reduce_mean(likelihood.log_prob(x))
            kl = tf.reduce_mean(tfd.kl_divergence(posterior, prior))
            loss = reconstruction + BETA * kl
        gradients = tape.gradient(loss, weights)
        optimizer.apply_gradients(zip(gradients, weights, strict=True))
        return loss, kl, reconstruction

    if compiled is not None:
        step = tf.function(step, jit_compile=compiled)
    batches = tf.data.Dataset.from_tensor_slices(images).shuffle(10_000, seed=0).repeat()
    batches = iter(batches.batch(sizes.batch).prefetch(tf.data.AUTOTUNE))

    def run(steps):
        for _ in range(steps):
            losses = step(next(batches))
        float(losses[0])

    return run


def graph(images, sizes):
    """The published loop, its step under `tf.function`."""
    return eager(images, sizes, compiled=False)


def graph_xla(images, sizes):
    """The published loop, its step under `tf.function(jit_compile=True)`."""
    return eager(images, sizes, compiled=True)


def bare_xla_loop(images, sizes, steps_a_call=64, unroll=1, flat=False):
    """What XLA can do at best: a while loop over steps and plain operations, losses summed.

    With `unroll` steps in the body of the loop. With `flat`, Adam updates one vector of all weights
    instead of each by itself.
    """
    import tensorflow as tf

    random = np.random.default_rng(0)
    weights = []
    for inputs, outputs in sizes.layers:
        limit = math.sqrt(6 / (inputs + outputs))
        weights.append(random.uniform(-limit, limit, (inputs, outputs)).astype(np.float32))
        weights.append(np.zeros(outputs, np.float32))
    shapes = [w.shape for w in weights]
    if flat:
        weights = [np.concatenate([w.ravel() for w in weights])]
    moments = [[np.zeros_like(w) for w in weights] for _ in range(2)]
    state = [tf.constant(value) for value in (*weights, *moments[0], *moments[1])]
    state = [tf.constant(0), tf.zeros(3), *state]
    data = tf.constant(images)
    count = len(weights)

    def loss_of(w, x, noise):
        if flat:
            parts = tf.split(w[0], [math.prod(shape) for shape in shapes])
            w = [tf.reshape(part, shape) for part, shape in zip(parts, shapes, strict=True)]
        hidden = tf.nn.relu(x @ w[0] + w[1])
        hidden = tf.nn.relu(hidden @ w[2] + w[3])
        loc, root = tf.split(hidden @ w[4] + w[5], 2, axis=-1)
        scale = tf.square(root) + 1e-6
        hidden = tf.nn.relu((loc + scale * noise) @ w[6] + w[7])
        hidden = tf.nn.relu(hidden @ w[8] + w[9])
        logits = hidden @ w[10] + w[11]
        reconstruction = tf.reduce_mean(tf.nn.softplus(logits) - x * logits)
        kl = tf.reduce_mean(0.5 * (tf.square(loc) + tf.square(scale) - 1.0) - tf.math.log(scale))
        return reconstruction + BETA * kl, (reconstruction, kl)

    def step(t, losses, *state):
        w, m, v = state[:count], state[count : 2 * count], state[2 * count :]
        rows = tf.random.stateless_uniform(
            [sizes.batch], [1, t], 0, len(images), tf.int32, alg="philox"
        )
        noise = tf.random.stateless_normal([sizes.batch, sizes.latent], [0, t], alg="philox")
        x = tf.gather(data, rows)
        with tf.GradientTape() as tape:
            tape.watch(w)
            loss, parts = loss_of(w, x, noise)
        gradients = tape.gradient(loss, w)
        losses += tf.stack([loss, *parts])
        t += 1
        power = tf.cast(t, tf.float32)
        rate = RATE * tf.sqrt(1 - 0.999**power) / (1 - 0.9**power)
        m = [a + 0.1 * (g - a) for a, g in zip(m, gradients, strict=True)]
        v = [a + 0.001 * (g * g - a) for a, g in zip(v, gradients, strict=True)]
        w = [a - rate * b / (tf.sqrt(c) + 1e-7) for a, b, c in zip(w, m, v, strict=True)]
        return t, losses, *w, *m, *v

    def steps_of_body(*state):
        for _ in range(unroll):
            state = step(*state)
        return state

    @tf.function(jit_compile=True)
    def steps_in_one_call(state):
        end, most = state[0] + steps_a_call, steps_a_call // unroll
        return tf.while_loop(lambda t, *_: t < end, steps_of_body, state, maximum_iterations=most)

    def run(steps):
        nonlocal state
        for _ in range(-(-steps // steps_a_call)):
            state = steps_in_one_call(state)
        int(state[0])

    return run


def pytorch(images, sizes):
    """PyTorch by hand: in-memory tensor, random permutation, fused Adam."""
    import torch
    from torch import nn

    torch.manual_seed(0)
    layers = [nn.Linear(inputs, outputs) for inputs, outputs in sizes.layers]
    encoder = nn.Sequential(layers[0], nn.ReLU(), layers[1], nn.ReLU(), layers[2])
    decoder = nn.Sequential(layers[3], nn.ReLU(), layers[4], nn.ReLU(), layers[5])
    weights = [*encoder.parameters(), *decoder.parameters()]
    optimizer = torch.optim.Adam(weights, lr=RATE, fused=True)
    data = torch.from_numpy(images)
    whole = len(images) // sizes.batch * sizes.batch

    def run(steps):
        done = 0
        while done < steps:
            for rows in torch.randperm(len(images))[:whole].split(sizes.batch):
                x = data[rows]
                loc, root = encoder(x).chunk(2, dim=-1)
                scale = root.square() + 1e-6
                logits = decoder(loc + scale * torch.randn_like(loc))
                reconstruction = nn.functional.binary_cross_entropy_with_logits(logits, x)
                kl = (0.5 * (loc.square() + scale.square() - 1) - scale.log()).mean()
                loss = reconstruction + BETA * kl
                optimizer.zero_grad(set_to_none=True)
                loss.backward()
                optimizer.step()
                done += 1
                if done == steps:
                    break
        loss.item()

    return run


def jax_training(images, sizes):
    """JAX by hand, Adam written out: a training step, and the state that it begins with."""
    import jax
    import jax.numpy as jnp

    keys = jax.random.split(jax.random.key(0), len(sizes.layers))
    initializer = jax.nn.initializers.glorot_uniform()
    weights = [
        (initializer(key, layer), jnp.zeros(layer[1]))
        for key, layer in zip(keys, sizes.layers, strict=True)
    ]

    def dense(layer, x):
        return x @ layer[0] + layer[1]

    def loss_of(w, x, key):
        hidden = jax.nn.relu(dense(w[1], jax.nn.relu(dense(w[0], x))))
        loc, root = jnp.split(dense(w[2], hidden), 2, axis=-1)
        scale = root**2 + 1e-6
        z = loc + scale * jax.random.normal(key, loc.shape)
        logits = dense(w[5], jax.nn.relu(dense(w[4], jax.nn.relu(dense(w[3], z)))))
        reconstruction = jnp.mean(jax.nn.softplus(logits) - x * logits)
        kl = 0.5 * (loc**2 + scale**2 - 1) - jnp.log(scale)
        return reconstruction + BETA * jnp.mean(kl)

    def step(state, x, key):
        t, w, m, v = state
        gradients = jax.grad(loss_of)(w, x, jax.random.fold_in(key, t))
        t = t + 1
        rate = RATE * jnp.sqrt(1 - 0.999**t) / (1 - 0.9**t)
        m = jax.tree.map(lambda a, g: a + 0.1 * (g - a), m, gradients)
        v = jax.tree.map(lambda a, g: a + 0.001 * (g * g - a), v, gradients)
        w = jax.tree.map(lambda a, b, c: a - rate * b / (jnp.sqrt(c) + 1e-7), w, m, v)
        return t, w, m, v

    zeros = jax.tree.map(jnp.zeros_like, weights)
    return step, (jnp.array(0), weights, zeros, zeros)


def jax_step(images, sizes):
    """One jitted step, called from Python."""
    import jax

    step, state = jax_training(images, sizes)
    step = jax.jit(step)
    random = np.random.default_rng(0)
    key = jax.random.key(1)

    def run(steps):
        nonlocal state
        for _ in range(steps):
            state = step(state, images[random.integers(0, len(images), sizes.batch)], key)
        state[0].block_until_ready()

    return run


def jax_scan(images, sizes, steps_a_call=64):
    """`lax.scan` over 64 steps, on batches that NumPy gathers."""
    import jax

    step, state = jax_training(images, sizes)
    key = jax.random.key(1)

    @jax.jit
    def steps_in_one_call(state, batches):
        return jax.lax.scan(lambda s, x: (step(s, x, key), None), state, batches)[0]

    random = np.random.default_rng(0)

    def run(steps):
        nonlocal state
        for _ in range(-(-steps // steps_a_call)):
            rows = random.integers(0, len(images), (steps_a_call, sizes.batch))
            state = steps_in_one_call(state, images[rows])
        state[0].block_until_ready()

    return run


def floor(images, sizes):
    """The matrix products of a step alone, by NumPy's sgemm: what arithmetic costs at the least."""
    del images
    random = np.random.default_rng(0)

    def array(*shape):
        return random.standard_normal(shape, dtype=np.float32)

    products = []
    for number, (inputs, outputs) in enumerate(sizes.layers):
        x, weights, gradient = array(sizes.batch, inputs), array(inputs, outputs), None
        gradient = array(sizes.batch, outputs)
        products += [(x, weights), (x.T, gradient)]
        if number > 0:  # Nobody needs the gradient of the images.
            products.append((gradient, weights.T))
    results = [np.empty((a.shape[0], b.shape[1]), np.float32) for a, b in products]

    def run(steps):
        for _ in range(steps):
            for (a, b), out in zip(products, results, strict=True):
                np.matmul(a, b, out=out)

    return run


RIVALS = {
    "eager": eager,
    "graph": graph,
    "graph_xla": graph_xla,
    "stock_fit": stock_fit,
    "pytorch": pytorch,
    "jax": jax_step,
    "jax_scan": jax_scan,
    "ours_step_by_step": ours_step_by_step,
    "ours_looked_at": ours_looked_at,
    "ours_as_it_comes": ours_as_it_comes,
    "ours": ours,
    "bare_xla_loop": bare_xla_loop,
    "floor": floor,
}


def _keras_networks(keras, sizes):
    def network(inputs, outputs):
        return keras.Sequential(
            [
                keras.Input((inputs,)),
                keras.layers.Dense(sizes.hidden, activation="relu"),
                keras.layers.Dense(sizes.hidden, activation="relu"),
                keras.layers.Dense(outputs),
            ]
        )

    return network(sizes.pixels, 2 * sizes.latent), network(sizes.latent, sizes.pixels)
