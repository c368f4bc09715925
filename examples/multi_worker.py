"""A beta-VAE trained by several processes, on one machine or on several.

On a cluster, start this program on every machine with its own `TF_CONFIG`, for example

  TF_CONFIG='{"cluster": {"worker": ["10.0.0.1:2222", "10.0.0.2:2222"]},
              "task": {"type": "worker", "index": 0}}' python examples/multi_worker.py

To try it on one machine, let it start the workers itself:

  python examples/multi_worker.py --local-workers 2

The batch size is the global one: two workers take half of every batch each, with the same noise for
the same images, so the curve of losses does not depend on how many there are. The chief (worker 0)
writes `model.keras`, `saved_model` and the callbacks' files into the output folder; worker 1 keeps
its callbacks' files in `worker_1` there, and so on.

Every worker saves the state of the training on the way. When one is lost the others notice, say so
and stop; all started again by the same commands go on from the last state that all of them saved.
"""

import argparse
import json
import os
import socket
import subprocess
import sys
import threading
from pathlib import Path

os.environ.setdefault("KERAS_VAE_QUIET", "1")

# What may differ when a training goes on.
NO_SETTINGS = ("output_dir", "local_workers")


def main():
    """Trains as the worker that `TF_CONFIG` names, or starts such workers."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    add = parser.add_argument
    add("--local-workers", type=int, help="start that many workers on this machine")
    add("--dataset", default="mnist", help="TFDS name (mnist)")
    add("--steps", type=int, default=1024, help="training steps in all (1024)")
    add("--steps-between-saves", type=int, help="a divisor of --steps (the largest to 128)")
    add("--batch-size", type=int, default=128, help="of all workers together (128)")
    add("--latent-dim", type=int, default=10, help="number of latents (10)")
    add("--seed", type=int, default=0, help="of weights, noise and data order (0)")
    add("--log-every", type=int, help="steps between lines of elbo.csv (at steps 1, 2, 4, 8, ...)")
    add(
        "--output-dir",
        type=Path,
        default=Path("runs/multi_worker"),
        help="folder (runs/multi_worker)",
    )
    options = parser.parse_args()
    if options.steps_between_saves is None:
        options.steps_between_saves = next(n for n in range(128, 0, -1) if options.steps % n == 0)
    elif options.steps_between_saves < 1 or options.steps % options.steps_between_saves:
        parser.error("--steps must be a multiple of --steps-between-saves, at least 1")
    if options.local_workers is not None:
        if options.local_workers < 1 or options.batch_size % options.local_workers:
            parser.error("--batch-size must be a multiple of --local-workers, at least 1")
        sys.exit(start_workers(options.local_workers))
    train(options)


def start_workers(count: int) -> int:
    """Runs this program `count` times, each with its `TF_CONFIG`.

    When one fails the others are stopped, which would wait for it otherwise.

    Args:
        count: How many.

    Returns:
        The first exit status that is not 0, or 0.
    """
    arguments = [
        argument
        for position, argument in enumerate(sys.argv[1:])
        if not argument.startswith("--local-workers")
        and not (position and sys.argv[position] == "--local-workers")
    ]
    addresses = [f"127.0.0.1:{port}" for port in free_ports(count)]
    workers = []
    for index in range(count):
        task = {"cluster": {"worker": addresses}, "task": {"type": "worker", "index": index}}
        environment = {**os.environ, "TF_CONFIG": json.dumps(task)}
        if count > 1:
            # They share this machine's processors.
            environment.setdefault(
                "TF_NUM_INTRAOP_THREADS", str(max(1, (os.cpu_count() or 1) // count))
            )
        command = [sys.executable, __file__, *arguments]
        workers.append(subprocess.Popen(command, env=environment))
    waiting = list(workers)
    try:
        while waiting:
            for worker in list(waiting):
                try:
                    status = worker.wait(0.5)
                except subprocess.TimeoutExpired:
                    continue
                waiting.remove(worker)
                if status:
                    print(
                        f"Worker {workers.index(worker)} ended with status {status}, and the "
                        "others are stopped. The same command goes on from the last saved state.",
                        file=sys.stderr,
                    )
                    return status
    finally:
        for worker in waiting:
            worker.kill()
    return 0


def free_ports(count: int) -> list[int]:
    """Ports of this machine that nobody listens on."""
    sockets = [socket.socket() for _ in range(count)]
    for one in sockets:
        one.bind(("127.0.0.1", 0))
    ports = [one.getsockname()[1] for one in sockets]
    for one in sockets:
        one.close()
    return ports


class PeerWatch(threading.Thread):
    """Ends this process, and says why, when another worker no longer listens at its address.

    Where a connection breaks TensorFlow raises. Where a machine just falls silent nothing comes,
    and the main thread waits inside a step for the part that the other has of it.

    Args:
        resolver: Of the cluster.
        interval: Float. Seconds between two looks. Defaults to `5.0`.
        patience: Int. Looks in a row at which a worker must be missing. Defaults to `3`.
    """

    def __init__(self, resolver, interval: float = 5.0, patience: int = 3):
        super().__init__(daemon=True)
        cluster = resolver.cluster_spec().as_dict()
        own = resolver.task_type, resolver.task_id
        self.addresses = {
            f"{kind} {index}": address
            for kind, addresses in cluster.items()
            for index, address in enumerate(addresses)
            if (kind, index) != own
        }
        self.interval, self.patience = interval, patience
        self._stopped = threading.Event()

    def run(self):
        """Looks, until it is stopped."""
        missing = dict.fromkeys(self.addresses, 0)
        while not self._stopped.wait(self.interval):
            for worker, address in self.addresses.items():
                missing[worker] = 0 if listens(address, self.interval) else missing[worker] + 1
                if missing[worker] == self.patience and not self._stopped.is_set():
                    leave(f"{worker} at {address} does not answer")

    def stop(self):
        """Stops looking."""
        self._stopped.set()


def listens(address: str, timeout: float) -> bool:
    """Whether somebody takes connections at `HOST:PORT`."""
    host, port = address.rsplit(":", 1)
    try:
        socket.create_connection((host.strip("[]"), int(port)), timeout).close()
    except OSError:
        return False
    return True


def leave(reason: str):
    """Ends this process at once: what is not saved by now cannot be saved without the others."""
    print(
        f"Another worker is gone: {reason}. Start all workers again by the same commands: the "
        "training goes on from the last state that all of them saved.",
        file=sys.stderr,
        flush=True,
    )
    os._exit(1)


def train(options: argparse.Namespace):
    """Trains as one worker."""
    import keras_vae
    from keras_vae.callbacks import ELBOLogger, ReconstructionGrid, Resume

    import keras
    import tensorflow as tf

    # Before TensorFlow computes anything: it starts this worker's server.
    strategy = tf.distribute.MultiWorkerMirroredStrategy()
    resolver = strategy.cluster_resolver
    is_chief = resolver.task_type in (None, "chief", "worker") and not resolver.task_id
    watch = PeerWatch(resolver)
    watch.start()
    keras.utils.set_random_seed(options.seed)
    settings = {key: value for key, value in vars(options).items() if key not in NO_SETTINGS}
    with strategy.scope():
        resume = Resume(options.output_dir, settings)
    # Every worker reads all of it and trains on its part of each batch.
    images = keras_vae.datasets.load(
        options.dataset,
        "train",
        options.batch_size,
        drop_remainder=True,
        seed=options.seed,
        start=resume.step,
    )
    shape = images.element_spec.shape[1:]
    held_out = next(iter(keras_vae.datasets.load(options.dataset, "test", 10)))
    with strategy.scope():
        vae = keras_vae.VAE(
            keras_vae.networks.mlp_encoder(shape, options.latent_dim, [400]),
            keras_vae.networks.mlp_decoder(shape, options.latent_dim, [400]),
            seed=options.seed,
        )
        vae.compile(keras.optimizers.Adam(1e-3))
    try:
        vae.fit(
            images.repeat(),
            epochs=options.steps // options.steps_between_saves,
            steps_per_epoch=options.steps_between_saves,
            callbacks=[
                resume,
                ELBOLogger(
                    options.output_dir, options.log_every or "power_of_two", print_table=is_chief
                ),
                ReconstructionGrid(held_out, options.output_dir),
            ],
            verbose=0,
        )
        if is_chief:
            vae.save(options.output_dir / "model.keras")
            vae.export(options.output_dir / "saved_model", verbose=False)
            print(f"the chief wrote {options.output_dir}", flush=True)
        # All wait for the chief: a worker that leaves early looks like one that crashed.
        here = tf.function(lambda: tf.constant(1), autograph=False)
        everywhere = tf.function(
            lambda: strategy.reduce("SUM", strategy.run(here), axis=None), autograph=False
        )
        everywhere()
    except (tf.errors.UnavailableError, tf.errors.AbortedError, tf.errors.CancelledError) as error:
        leave(f"the connection to it broke ({type(error).__name__})")
    watch.stop()


if __name__ == "__main__":
    main()
