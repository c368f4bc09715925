"""A Keras model whose loss is a sum of named terms, each weighted and logged."""

import abc
import functools
import inspect
import random
from collections.abc import Mapping
from typing import Any

import keras
import tensorflow as tf

from keras_vae import arguments
from keras_vae.keras_internals import (
    BuildsWithoutData,
    apply_gradients,
    batches_seen,
    strategy_of,
)
from keras_vae.noise import standard_normal
from keras_vae.training import one_dnn
from keras_vae.training.checked_data import ChecksData
from keras_vae.training.compiled_steps import (
    STACK_LENGTH,
    CompiledSteps,
    evaluation_loop,
    is_stackable,
    loop_pays,
    on_cpu,
)
from keras_vae.training.data_checks import example_weights
from keras_vae.training.given_data import images_of, weights_of
from keras_vae.training.lent_examples import lending
from keras_vae.training.progress_line import with_progress_line
from keras_vae.training.steps_ahead import Lookout, StepsAhead
from keras_vae.training.term_tracker import TermTracker
from keras_vae.workers import reducible_logs, scalar_value


class TermTrainer(ChecksData, BuildsWithoutData, abc.ABC):
    """Base class of a model whose loss is a sum of named terms; it does not know what they mean.

    A subclass defines `call`, which gives a batch's terms when asked for them, and
    `symbolic_inputs`. From those follow `fit`, `evaluate` and `predict`: every term is averaged
    over the batch, weighted, added to the loss by `add_loss`, and logged under its name, for
    training and validation, as a mean over the epoch and step by step (`step_logs`).

    Args:
        coefficients: `{name: float}`. Scalars of the loss, each at least 0. Each becomes an
            attribute of that name, a non-trainable weight: assign to it at any time, schedules move
            it, checkpoints keep it. `get_config` gives back what it was at the start. Defaults to
            `None`: none.
        seed: Int. The noise of a training step is a function of `(seed, step, replica)` alone.
            Defaults to `None`, a seed drawn from Python's `random`, which
            `keras.utils.set_random_seed` fixes.

    Raises:
        ValueError: If a coefficient or the seed is invalid.
    """

    # Made by `make_train_function` and `make_test_function`.
    train_function: Any
    test_function: Any

    def __init__(self, coefficients: Mapping | None = None, seed: int | None = None, **kwargs):
        # Data reach the terms in float32 whatever the dtype policy; networks, which have policies
        # of their own, cast what they are given.
        super().__init__(autocast=False, **kwargs)
        self.seed = random.randrange(2**31) if seed is None else arguments.seed("seed", seed)
        self._coefficients = {}
        for name, value in (coefficients or {}).items():
            value = arguments.number(name, value, least=0)
            variable = self.add_weight(
                shape=(),
                initializer=keras.initializers.Constant(value),
                dtype="float32",
                autocast=False,
                trainable=False,
                name=name,
            )
            setattr(self, name, variable)
            self._coefficients[name] = value
        # Only draws when training without an optimizer, where there are no iterations to count.
        self._seed_generator = keras.random.SeedGenerator(self.seed)
        self._tracker_of_terms = TermTracker()
        self._chooses_steps = False
        self._lookout = self._test_lookout = None

    def __setattr__(self, name, value):
        """Assigns to a coefficient what is meant for it: its variable is compiled into the step."""
        if name in self.__dict__.get("_coefficients", ()) and not hasattr(value, "assign"):
            getattr(self, name).assign(arguments.number(name, value, least=0))
        else:
            super().__setattr__(name, value)

    # What a model defines ------------------------------------------------------------------

    @abc.abstractmethod
    def call(self, x, training: bool = False, return_pass: bool = False):
        """Gives the model's output for a batch, or a `Pass` with all that its loss is made of.

        Args:
            x: The batch, and after it whatever else `inputs_of` gives.
            training: Bool. Whether the noise is this step's, instead of evaluation's.
            return_pass: Bool. Whether to return a `keras_vae.training.Pass`.
        """

    @abc.abstractmethod
    def symbolic_inputs(self) -> tuple:
        """Symbolic tensors of the shapes that `inputs_of` gives, of a built model."""

    def inputs_of(self, data) -> tuple:
        """What of a batch of `fit` goes into `call`; metrics compare the output with the first.

        Args:
            data: `x`, `(x,)`, `(x, y)` or `(x, y, sample_weight)`.
        """
        return (images_of(data),)

    # A step --------------------------------------------------------------------------------

    def train_step(self, data) -> dict:
        """One step of gradient descent on the weighted sum of the terms."""
        inputs, sample_weight = self.inputs_of(data), weights_of(data)
        step = self._steps_taken()
        with tf.GradientTape() as tape:
            loss, output, means, update = self._score(inputs, sample_weight, training=True)
            scaled_loss = self.optimizer.scale_loss(loss)
        weights = self.trainable_weights
        gradients = tape.gradient(scaled_loss, weights)
        # Before the control dependencies, under which XLA cannot create variables.
        if not self.optimizer.built:
            self.optimizer.build(weights)
        # A batch that the data pipeline refuses must not count as a step.
        with tf.control_dependencies([scaled_loss]):
            if update is not None:
                update()
            if weights:
                apply_gradients(self.optimizer, gradients, weights)
        self._tracker_of_terms.update_state(means, step=step)
        return reducible_logs(self.compute_metrics(inputs[0], None, output, sample_weight))

    def test_step(self, data) -> dict:
        """The same terms on held-out data, with noise that is the same at every evaluation."""
        inputs, sample_weight = self.inputs_of(data), weights_of(data)
        _, output, means, _ = self._score(inputs, sample_weight, training=False)
        self._tracker_of_terms.update_state(means)
        return reducible_logs(self.compute_metrics(inputs[0], None, output, sample_weight))

    def predict_step(self, data) -> tf.Tensor:
        """The output for a batch, without noise."""
        return self(*self.inputs_of(data), training=False)

    def _score(self, inputs, sample_weight, training):
        """Adds the terms to the loss; returns it, the output, what is logged, and the update."""
        # Entering `call` clears the losses of the step before.
        output, terms, logged, update = self(*inputs, training=training, return_pass=True)
        self._find_terms()
        regularization = self.losses
        batch_size = tf.shape(output)[0]
        weights = example_weights(sample_weight, batch_size)
        means = {}
        for name, (weight, value, size) in terms.items():
            # A replica may go empty-handed when the last batch is smaller.
            mean = tf.reduce_sum(weights * value) / tf.cast(tf.maximum(batch_size, 1), tf.float32)
            means[name] = (mean / size, batch_size)
            if weight is not None:
                self.add_loss(weight * means[name][0])
        if regularization:
            means["regularization_loss"] = (tf.add_n(regularization), batch_size)
            # Activity regularisers do not show in a symbolic pass.
            tracker = self._tracker_of_terms
            tracker.build(dict.fromkeys([*tracker.names, "regularization_loss"]))
        loss = self.compute_loss(inputs[0], None, output, sample_weight, training=training)
        # Keras divides what `add_loss` adds by the number of replicas; logs show the whole.
        replicas = tf.distribute.get_strategy().num_replicas_in_sync
        means["loss"] = (loss * replicas, batch_size)
        for name, (value, share) in logged.items():
            value, total = tf.convert_to_tensor(value), tf.reduce_sum(weights * share)
            if value.shape.rank:
                value = tf.math.divide_no_nan(tf.reduce_sum(weights * share * value), total)
            # Where no example has a share, a scalar is still worth logging.
            means[name] = (value, tf.abs(total) + 1e-12)
        return loss, output, means, update

    def compute_metrics(self, x, y, y_pred, sample_weight=None) -> dict:
        """Scores the output against the input, whatever labels came with it."""
        target = images_of(x)
        return super().compute_metrics(target, target, y_pred, sample_weight)

    def step_logs(self, step: int) -> dict | None:
        """What one recent training step saw: its own batch's values, not running means.

        Args:
            step: Int. Number of the batch, counted from 1 since the optimizer's first.

        Returns:
            `{name: float}` with the names of the logs, or `None` for a step that is no longer, or
            not yet, remembered. The last 1024 are.
        """
        return self._tracker_of_terms.step_logs(step)

    def _steps_taken(self):
        """Batches trained on so far, an int32 scalar."""
        optimizer = getattr(self.optimizer, "inner_optimizer", self.optimizer)
        return tf.cast(batches_seen(optimizer), tf.int32)

    # Noise ---------------------------------------------------------------------------------

    def noise(self, batch_size, shape: tuple[int, ...], training: bool, stream: int = 0):
        """Standard normal noise: a function of the model's seed and the step.

        Where a last batch leaves replicas with parts of different sizes, none of them knows where
        its own begins, and numbers of one may be drawn again by another: `drop_remainder=True`
        avoids it.

        Args:
            batch_size: Int scalar.
            shape: Of the noise of one example.
            training: Bool. Whether it is a training step's, instead of evaluation's.
            stream: Int. Noise of one stream is independent of that of another. Defaults to `0`.

        Returns:
            `[batch_size, *shape]`, float32.
        """
        replica = tf.distribute.get_replica_context()
        replicas = replica.num_replicas_in_sync if replica is not None else 1
        # Drawn for the global batch, of which each replica takes its part: so the noise of an
        # example does not depend on how many replicas share the work.
        noise = standard_normal([replicas * batch_size, *shape], self.noise_seed(training, stream))
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
            return tf.stack([first, -1 - replicas * self._tracker_of_terms.num_examples()])
        if getattr(self, "optimizer", None) is not None:
            return tf.stack([first, self._steps_taken()])
        return tf.cast(self._seed_generator.next(), tf.int32)

    def _logs_of_each(self, count, logs):
        """The logs after each of the last steps, of which those after the last are given."""
        means = self._tracker_of_terms.recent_means(int(self._steps_taken()), count)
        return [{**logs, **own} for own in means]

    # Compiling and training ----------------------------------------------------------------

    @functools.wraps(keras.Model.fit)
    def fit(self, *args, **kwargs):
        """Checks the data, then trains as `keras.Model.fit` does, many steps a call."""
        bound = inspect.signature(keras.Model.fit).bind(self, *args, **kwargs)
        given = bound.arguments
        callbacks = given.get("callbacks")
        if isinstance(callbacks, keras.callbacks.CallbackList):
            return super().fit(*args, **kwargs)
        callbacks = keras.tree.flatten(callbacks) if callbacks else []
        given["callbacks"] = with_progress_line(callbacks, given.get("verbose", "auto"))
        if not self._chooses_steps:
            return super().fit(*bound.args[1:], **bound.kwargs)
        steps = given.get("steps_per_epoch")
        self._lookout = Lookout(callbacks, steps, lambda: int(self._steps_taken()))
        given["callbacks"].append(self._lookout)
        try:
            return super().fit(*bound.args[1:], **bound.kwargs)
        finally:
            self._lookout = None

    @functools.wraps(keras.Model.evaluate)
    def evaluate(self, *args, **kwargs):
        """Checks the data, then evaluates as `keras.Model.evaluate` does, many steps a call."""
        bound = inspect.signature(keras.Model.evaluate).bind(self, *args, **kwargs)
        given = bound.arguments
        callbacks = given.get("callbacks")
        if isinstance(callbacks, keras.callbacks.CallbackList):
            callbacks = callbacks.callbacks
        else:
            callbacks = keras.tree.flatten(callbacks) if callbacks else []
            given["callbacks"] = with_progress_line(callbacks, given.get("verbose", "auto"))
        if self._chooses_steps:
            self._test_lookout = Lookout(callbacks, given.get("steps"))
        try:
            return super().evaluate(*bound.args[1:], **bound.kwargs)
        finally:
            self._test_lookout = None

    def fed_with(self, data):
        """The data; a set in memory lends its examples where a loop takes them."""
        is_lent = on_cpu() and (self._chooses_steps or self._has_given_loop())
        if not is_lent or not isinstance(data, tf.data.Dataset):
            return data
        # A train function of somebody else's, which Keras lets anybody make, reads batches.
        return lending(data, self._trains_by_own_function)

    def check_before_training(self, method: str):
        """Raises for what would stop training at its first step, or train to nothing.

        Args:
            method: The name of the method that is about to train.

        Raises:
            ValueError: If there is no optimizer, or a coefficient was assigned what the constructor
                would refuse.
        """
        super().check_before_training(method)
        for name in self._coefficients:
            arguments.number(name, scalar_value(getattr(self, name)), least=0)

    @property
    def metrics_names(self) -> list[str]:
        """The names of what `evaluate` returns, in that order; of a model built and compiled."""
        if self.compiled:
            self._find_terms()
        tracker, names = self._tracker_of_terms, []
        for metric in self.metrics:
            names += [part.name for part in getattr(metric, "metrics", ())] or [metric.name]
        if tracker.built:
            names.remove(tracker.name)
        return [*names, *sorted(set(tracker.names) - set(names))]

    def compile(
        self,
        optimizer="rmsprop",
        loss=None,
        *,
        steps_per_execution: int | None = None,
        jit_compile: bool | str = "auto",
        **kwargs,
    ):
        """Configures training, as `keras.Model.compile` does.

        Left to choose, `fit` trains as many steps in one compiled call as nobody needs to look at
        single ones, and no more than a fifth of a second takes. Every batch hook is called once a
        batch with that batch's logs all the same. A callback of your own with a batch hook has
        steps run one by one, because it may look at the model; one that reads the logs alone, or
        looks only now and then, says so by a method `next_look(step)`, which returns the next step
        at whose end it must find the model as that step left it, or `math.inf`. Those of this
        package do, and Keras's own are known: `TerminateOnNaN` only reads, `ModelCheckpoint`,
        `BackupAndRestore` and `TensorBoard` look as often as they are told to.

        Args:
            optimizer: A Keras optimizer or the name of one. Defaults to `"rmsprop"`.
            loss: Nothing: the model computes its own.
            steps_per_execution: Int. Training steps a call, after which batch hooks run, as in
                Keras. Defaults to `None`: `fit` chooses, where a compiled loop is faster.
            jit_compile: Bool, whether to compile with XLA; or `"auto"`, which does on accelerators
                and, unlike Keras, with several steps a call also on CPUs, unless there are
                convolutions, which XLA slows down there. Defaults to `"auto"`.
            **kwargs: As `keras.Model.compile` takes them.

        Raises:
            ValueError: If `loss` is given, or `steps_per_execution` is no positive integer.
        """
        if loss is not None:
            raise ValueError(
                f"A {type(self).__name__} computes its own loss: compile it without the argument "
                f"`loss`. Received: loss={loss!r}"
            )
        if steps_per_execution is not None:
            arguments.count("steps_per_execution", steps_per_execution)
        chosen = jit_compile
        if jit_compile == "auto" and (steps_per_execution or 1) > 1:
            jit_compile = not kwargs.get("run_eagerly") and self._loop_pays()
        super().compile(
            optimizer,
            steps_per_execution=steps_per_execution or 1,
            jit_compile=jit_compile,
            **kwargs,
        )
        self._chooses_steps = (
            steps_per_execution is None
            and chosen is not False
            and not kwargs.get("run_eagerly")
            and not hasattr(self.optimizer, "inner_optimizer")
            and self._loop_pays()
        )
        self._compiled_with = {"steps_per_execution": steps_per_execution, "jit_compile": chosen}

    def get_compile_config(self) -> dict:
        """The arguments of `compile`, as they were given."""
        config = super().get_compile_config()
        return {**config, **self._compiled_with} if config else config

    def compile_from_config(self, config: dict):
        """Compiles as a saved model was, and makes room for its optimizer's state."""
        self.compile(**keras.saving.deserialize_keras_object(config))
        if self.built and self.optimizer is not None:
            self.optimizer.build(self.trainable_variables)

    def make_train_function(self, force: bool = False):
        """Makes the function that a step of `fit` calls, after learning what there is to log."""
        if self.train_function is not None and not force:
            return
        self._tracker_of_terms.built = False
        self.prepare_to_train()
        one_dnn.say_if_off(self)
        super().make_train_function(force)
        one_by_one = self.train_function
        if self._chooses_steps:
            steps = CompiledSteps(self, one_by_one, stack_length=STACK_LENGTH)
            self.train_function = StepsAhead(
                lambda iterator, count: self._logs_of_each(*steps(iterator, count)),
                steps.takes,
                one_by_one,
                lambda: self._lookout,
                lambda iterator: [steps.one(iterator)],
            )
        elif self._has_given_loop():
            steps = CompiledSteps(self, one_by_one, stack_length=self.steps_per_execution)
            self.train_function = steps.train_function

    def make_test_function(self, force: bool = False):
        """Makes the function that a step of `evaluate` calls, after learning what to log."""
        self._find_terms()
        if self.test_function is not None and not force:
            return
        super().make_test_function(force)
        if self._chooses_steps and not self.jit_compile:
            self.test_function = StepsAhead(
                evaluation_loop(self),
                is_stackable,
                self.test_function,
                lambda: self._test_lookout,
            )

    def prepare_to_train(self):
        """Makes the variables that logs and optimizer need, before the first step."""
        self._find_terms()
        optimizer = getattr(self, "optimizer", None)
        if self.built and optimizer is not None and not optimizer.built:
            with self.distribute_strategy.scope():
                optimizer.build(self.trainable_weights)

    def _find_terms(self):
        """Learns the names of what is logged, by a symbolic pass."""
        if not self.built or self._tracker_of_terms.built:
            return
        result = self.compute_output_spec(*self.symbolic_inputs(), training=True, return_pass=True)
        names = ["loss", *result.terms, *result.logged]
        # The model's own losses may be those of an earlier step.
        if any(layer.losses for layer in self.layers):
            names.append("regularization_loss")
        with self.distribute_strategy.scope():
            self._tracker_of_terms.build(dict.fromkeys(names))

    def _trains_by_own_function(self):
        """Whether the function that `fit` calls for a step is one of `make_train_function` here."""
        function = self.train_function
        return isinstance(getattr(function, "__self__", function), StepsAhead | CompiledSteps)

    def _has_given_loop(self):
        """Whether a compiled loop runs as many steps a call as the user has asked for."""
        return self.jit_compile and self.steps_per_execution > 1 and self._loop_pays()

    def _loop_pays(self):
        """Whether a compiled loop over steps is what trains this model fastest."""
        return not isinstance(strategy_of(self), tf.distribute.Strategy) and loop_pays(self)

    def get_config(self) -> dict:
        """The constructor's arguments; coefficients as they were at the start."""
        return {**super().get_config(), "seed": self.seed, **self._coefficients}

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
