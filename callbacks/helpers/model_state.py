"""What a training step changes, each with a name by which it is found again."""

import re
from collections.abc import Iterable, Iterator, Mapping
from typing import NamedTuple

import keras
import tensorflow as tf

from keras_vae.keras_internals import all_layers, global_seed_generator


class Entry(NamedTuple):
    """A variable of the state.

    Attributes:
        name: Its path in the model, or where it is held.
        variable: The variable, Keras's or TensorFlow's.
        kind: `"weight"`, `"optimizer"`, `"metric"`, which every epoch resets, or `"seed"`, the one
            from which Keras draws where no seed is given.
    """

    name: str
    variable: object
    kind: str


def optimizers(model: keras.Model) -> dict[str, keras.optimizers.Optimizer]:
    """The optimizers of a model and of its parts, by where they are held."""
    return {
        where: part for where, part in _held(model) if isinstance(part, keras.optimizers.Optimizer)
    }


def optimizer_variables(model: keras.Model) -> list:
    """The variables of every optimizer of a model; an adversary, for example, has its own."""
    return [variable for part in optimizers(model).values() for variable in part.variables]


def state_of(model: keras.Model) -> list[Entry]:
    """Everything that a step changes and that is to be found.

    These are the variables of the model, of its optimizers and metrics, and what TensorFlow has in
    attributes, lists and dicts of the model and its layers: variables, and generators of noise.
    """
    metrics = {id(variable) for metric in model.metrics for variable in metric.variables}
    entries = [
        Entry(variable.path, variable, "metric" if id(variable) in metrics else "weight")
        for variable in model.variables
    ]
    for where, optimizer in optimizers(model).items():
        entries += [Entry(f"{where}: {v.path}", v, "optimizer") for v in optimizer.variables]
    entries += [
        Entry(variable.path, variable, "metric")
        for metric in model.metrics
        for variable in metric.variables
    ]
    for where, part in _held(model):
        if isinstance(part, tf.random.Generator):
            entries.append(Entry(where, part.state, "weight"))
        elif isinstance(part, tf.Variable) and part.dtype != tf.string:
            entries.append(Entry(where, part, "weight"))
    with global_seed_generator() as generator:
        if generator is not None:
            entries.append(Entry("seed of keras.random", generator.state, "seed"))
    # A variable of Keras is one of TensorFlow inside.
    known: dict[int, Entry] = {}
    for entry in entries:
        inside = getattr(entry.variable, "value", None)
        known.setdefault(id(entry.variable if callable(inside) else inside), entry)
    return list(known.values())


def names_of(entries: Iterable[Entry]) -> list[str]:
    """Names that are the same whenever the model is made again, and each another.

    The numbers that Keras counts up in a process, as in `dense_3`, are left out; of the same names
    the second is `... #2`, in the order in which the model has them.
    """
    seen: dict[str, int] = {}
    names = []
    for entry in entries:
        name = re.sub(r"_\d+(?![0-9A-Za-z])", "", entry.name)
        seen[name] = seen.get(name, 0) + 1
        names.append(name if seen[name] == 1 else f"{name} #{seen[name]}")
    return names


def _held(model) -> Iterator[tuple[str, object]]:
    """What the model and its layers hold in attributes, lists and dicts, each once."""
    seen = set()
    for layer in all_layers(model) if isinstance(model, keras.layers.Layer) else [model]:
        prefix = "" if layer is model else f"{layer.name}."
        # What TensorFlow notes down of its own stands under the names that the model has for it.
        names = sorted(vars(layer), key=lambda name: (name.startswith("_self_"), name[0] == "_"))
        for name in names:
            part = vars(layer)[name]
            for where, held in _parts(f"{prefix}{name}", part):
                if id(held) not in seen:
                    seen.add(id(held))
                    yield where, held


def _parts(where: str, part) -> Iterable[tuple[str, object]]:
    if isinstance(part, Mapping):
        for key in list(part):
            yield from _parts(f"{where}[{key!r}]", part[key])
    elif isinstance(part, list | tuple):
        for place, held in enumerate(part):
            yield from _parts(f"{where}[{place}]", held)
    elif isinstance(part, keras.optimizers.Optimizer | tf.Variable | tf.random.Generator):
        yield where, part
