"""Stops a training that has diverged, and brings back the weights from before it did."""

import math
import os
import warnings
from collections.abc import Mapping
from pathlib import Path
from typing import NamedTuple

import keras
import numpy as np

from keras_vae.callbacks.helpers.model_state import optimizer_variables
from keras_vae.callbacks.helpers.run_callback import RunCallback
from keras_vae.callbacks.helpers.step_counter import steps_taken
from keras_vae.files import write_whole
from keras_vae.keras_internals import weights_file


class StopOnNonFinite(RunCallback):
    """Stops training at the first loss that is NaN or infinite, and restores the last good weights.

    Where `keras.callbacks.TerminateOnNaN` leaves a model of NaN behind, this one puts weights and
    optimizer back to where they were when they were last known to be good, and says in one warning
    which term of the loss failed, at which step, where the weights are and what to try. Training
    can go on from there, with a lower learning rate for example, by another call of `fit`.

    The weights are good at the start of training, and at every epoch's end if they are finite and
    the loss of the next step, which is the first that they give, is finite too. With a folder they
    are also in `FOLDER/last_good.weights.h5`, for `model.load_weights`, which is replaced whole and
    by good weights only.

    Looks at `logs` after every batch, which costs microseconds, and reads the model at the ends of
    epochs. A loss is what is logged as `loss` or as `..._loss`; other metrics and validation, whose
    images may be at fault, stop nothing. The step counts batches since the optimizer was made. A
    model with a method `step_logs(step)`, as `keras_vae.VAE` has, is asked which one failed in an
    execution of several; of any other model it is known between which steps.

    Args:
        folder: Where `last_good.weights.h5` is written. Defaults to `None`: the weights are kept in
            memory alone.

    Attributes:
        path: The file of the last good weights, or `None`.
        stopped_at: Int. The step that failed, or the last of the execution that holds it; `None`
            while none has.

    Raises:
        OSError: At the start of training, if the folder cannot be written. Nothing is raised later:
            what then fails is one warning, and training goes on.

    Example:
    >>> guard = keras_vae.callbacks.StopOnNonFinite("runs/mnist")
    >>> model.fit(images, epochs=100, callbacks=[guard])
    """

    def __init__(self, folder: str | os.PathLike | None = None):
        super().__init__(folder)
        self.path = None if self.folder is None else self.folder / "last_good.weights.h5"
        self.stopped_at = None

    @property
    def written_files(self) -> tuple[Path, ...]:
        """The last good weights."""
        return () if self.path is None else (self.path,)

    def begin_run(self):
        """Keeps the weights that training begins with."""
        self.stopped_at = None
        self._good = self._candidate = None
        optimizer = getattr(self.model, "optimizer", None)
        # A model whose `train_step` calls its parts is trained and never called itself, and so says
        # of itself that it is not built.
        trained = optimizer is not None and optimizer.built
        if trained or all(layer.built for layer in self.model.layers):
            with self.guard("keep the weights"):
                # So that there is a state of it to go back to.
                if optimizer is not None and not optimizer.built:
                    optimizer.build(self.model.trainable_variables)
                if self.model.weights and not self._propose():
                    # They are all that there is to go back to, whatever loss they give.
                    self._accept()

    def after_steps(self, before: int, now: int, logs: dict):
        """Stops if a loss is not finite; otherwise the weights before these steps were good."""
        if self.stopped_at is not None:
            return
        with self.guard("check the losses"):
            failed = _non_finite(logs)
            if failed:
                self._stop(failed, before, now)
            elif self._candidate is not None:
                self._accept()

    def next_look(self, step: int) -> float:
        """Never: every step's losses are remembered."""
        return math.inf

    def after_epoch(self, epoch: int, logs: dict):
        """Proposes the weights, which the next step's loss will show to be good or not."""
        if self.stopped_at is not None:
            return
        with self.guard("check the weights"):
            failed = _non_finite(logs) or self._propose()
            if failed:
                self._stop(failed, self.step - 1, self.step)

    def end_run(self):
        """Takes the last weights for good if they are finite: no step follows that would tell."""
        if self.stopped_at is None and self._candidate is not None:
            with self.guard("keep the weights"):
                self._accept()

    def _propose(self):
        """Notes the weights as good if the next loss is; returns one that is not finite."""
        state = _State.of(self.model)
        for variable, value in zip(self.model.weights, state.values, strict=False):
            if not np.isfinite(value).all():
                return {variable.path: float(value[~np.isfinite(value)].flat[0])}
        self._candidate = state
        if self.path is not None:
            with self.guard(f"write {self.path}"):
                write_whole(self._candidate_path, weights_file(self.model))
                self._candidate = state._replace(is_written=True)
        return {}

    def _accept(self):
        """Makes the proposed weights the last good ones."""
        candidate, self._candidate = self._candidate, None
        self._good = candidate._replace(is_written=False)
        if candidate.is_written:
            with self.guard(f"write {self.path}"):
                os.replace(self._candidate_path, self.path)
                self._good = candidate

    @property
    def _candidate_path(self):
        return self.path.with_name(".next_good.weights.h5")

    def _stop(self, failed, before, now):
        """Stops, restores the last good weights, and says so."""
        self.model.stop_training = True
        self.stopped_at = now
        step, failed = self._first_failure(failed, before, now)
        if self._candidate is not None:
            # Where a later step of the same execution has failed, theirs was finite.
            if self._good is None or (step is not None and step > self._candidate.step + 1):
                self._accept()
            elif self._candidate.is_written:
                self._candidate_path.unlink(missing_ok=True)
        self._candidate = None
        if self._good is not None:
            with self.guard("restore the last good weights"):
                self._good.restore()
        warnings.warn(self._message(failed, step, before, now), stacklevel=5)

    def _first_failure(self, failed, before, now):
        """The first failing step of an execution and its numbers; the step is `None` if unknown."""
        step_logs = getattr(self.model, "step_logs", None)
        # A step that the optimizer skipped, because its gradients overflowed, has no number yet.
        now = max(now, before + 1)
        for step in range(before + 1, now + 1) if callable(step_logs) else ():
            own = _non_finite(step_logs(step) or {})
            if own:
                return step, own
        return (now if now == before + 1 else None), failed

    def _message(self, failed, step, before, now):
        # The whole fails with any of its parts, which say more.
        terms = {name: failed[name] for name in failed if name not in ("loss", "elbo")} or failed
        values = " and ".join(f"{name} was {value:g}" for name, value in terms.items())
        where = f"at step {step}" if step is not None else f"in steps {before + 1} to {now}"
        message = f"StopOnNonFinite has stopped the training: {values} {where}. "
        if self._good is None:
            return message + (
                "There are no good weights to go back to: those that the training began with were "
                "not finite, or not there yet. Begin anew, with other weights or a lower learning "
                "rate."
            )
        message += f"The model has the weights of step {self._good.step} again"
        if self._good.is_written:
            message += f", which are also in {self.path} (`model.load_weights`)"
        if step == self._good.step + 1 and _loss_failed(failed):
            return message + (
                ". No update went before, so look for the cause in that batch of images, in beta, "
                "or in a dtype policy of float16, whose largest number is 65504 (try "
                "'mixed_bfloat16')."
            )
        return message + (
            ". Try a lower learning rate, `clipnorm=1.0` in the optimizer"
            + (
                ", or a smaller beta that rises slowly (`BetaSchedule`)."
                if "kl_loss" in terms
                else ", or the policy 'mixed_bfloat16' in place of float16."
            )
        )


class _State(NamedTuple):
    """Weights and optimizer after a step, and whether the weights are in a file."""

    step: int
    variables: list
    values: list
    is_written: bool = False

    @classmethod
    def of(cls, model):
        variables = [*model.weights, *optimizer_variables(model)]
        values = [keras.ops.convert_to_numpy(variable) for variable in variables]
        return cls(steps_taken(model), variables, values)

    def restore(self):
        for variable, value in zip(self.variables, self.values, strict=True):
            variable.assign(value)


def _non_finite(logs: Mapping) -> dict:
    """What is NaN or infinite among the numbers of training, if a loss is."""
    failed = {
        name: float(value)
        for name, value in logs.items()
        if not name.startswith("val_") and not math.isfinite(value)
    }
    return failed if _loss_failed(failed) else {}


def _loss_failed(failed):
    return any(name == "loss" or name.endswith("_loss") for name in failed)
