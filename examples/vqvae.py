"""A VQ-VAE and a prior over its codes: images as 7x7 integers, and new images from new integers.

Trains on MNIST, or with --dataset typeset_digits on digits that are typeset on the spot, in two
stages: the VQ-VAE on images, and a causal transformer on their codes. Prints what both are worth on
held-out images, and leaves in the output folder

  elbo.csv            the losses and the perplexity of the VQ-VAE, an epoch a row
  reconstructions/    held-out images above their reconstructions, after every epoch
  samples.png         images of codes that the prior draws
  real.png            as many held-out images
  uniform.png         images of codes that are drawn without a prior, each code as probable
  vqvae.keras         both, as one model
"""

import argparse
import os
import time
from pathlib import Path

os.environ.setdefault("KERAS_VAE_QUIET", "1")

import keras_vae
from keras_vae import drawing, networks, visualize
from keras_vae.callbacks import ELBOLogger, ReconstructionGrid
from keras_vae.files import check_writable, write_whole
from keras_vae.quantized import VQVAE, CodePrior

import keras
import numpy as np

parser = argparse.ArgumentParser(
    description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
)
add = parser.add_argument
add("--dataset", help="mnist, typeset_digits, or another TFDS image set (mnist if there)")
add("--epochs", type=int, default=5, help="of the VQ-VAE, over the training images (5)")
add("--prior-epochs", type=int, default=5, help="of the prior, over their codes (5)")
add("--num-codes", type=int, default=128, help="vectors of the codebook (128)")
add("--code-dim", type=int, default=16, help="numbers a vector (16)")
add("--width", type=int, default=16, help="channels of the networks' first stage (16)")
add("--gradient", action="store_true", help="train the codebook by gradient, not by averages")
add("--steps", type=int, help="at most so many an epoch, for a trial (all)")
add("--seed", type=int, default=0, help="of weights, data order and drawn codes (0)")
add("--output-dir", type=Path, default=Path("runs/vqvae"), help="folder (runs/vqvae)")
options = parser.parse_args()

check_writable(options.output_dir)
dataset = options.dataset or keras_vae.datasets.available()
keras.utils.set_random_seed(options.seed)
train, test = keras_vae.datasets.load(dataset, batch_size=128, seed=options.seed)
if options.steps:
    train, test = train.take(options.steps), test.take(options.steps)
shape = tuple(train.element_spec.shape[1:])
some = next(iter(test)).numpy()[:64]

# The first stage: images to codes and back.
vqvae = VQVAE(
    networks.vq_encoder(shape, options.code_dim, width=options.width),
    networks.vq_decoder(shape, options.code_dim, width=options.width),
    num_codes=options.num_codes,
    decay=None if options.gradient else 0.99,
    seed=options.seed,
)
vqvae.compile(keras.optimizers.Adam(1e-3))
vqvae.fit(
    train,
    validation_data=test,
    epochs=options.epochs,
    verbose=2,
    callbacks=[
        ELBOLogger(
            options.output_dir,
            frequency="epoch",
            names=("loss", "reconstruction_loss", "commitment_loss", "perplexity", "elbo"),
            print_table=False,
        ),
        ReconstructionGrid(some[:12], options.output_dir),
    ],
)

# The second: what codes follow which, row by row.
codes, held_out = vqvae.encode_codes(train).numpy(), vqvae.encode_codes(test).numpy()
prior = CodePrior(vqvae.grid_shape, vqvae.num_codes, width=64, depth=2)
prior.compile(keras.optimizers.Adam(1e-3))
prior.fit(codes, validation_data=held_out, batch_size=128, epochs=options.prior_epochs, verbose=2)
whole = vqvae.with_prior(prior)
whole.save(options.output_dir / "vqvae.keras")

distortion = vqvae.evaluate(test, verbose=0, return_dict=True)["reconstruction_loss"]
uniform = codes[0].size * np.log(vqvae.num_codes)
nats = -prior.log_prob(held_out).mean()
print(f"{len(np.unique(codes))} of {vqvae.num_codes} codes are in use")
print(f"-log p(x|codes), nats an image:             {distortion:8.2f}")
print(f"codes by a uniform prior, nats an image:    {uniform:8.2f}")
print(f"codes by the trained prior, nats an image:  {nats:8.2f}")
print(f"codes by the trained prior, bits a code:    {nats / codes[0].size / np.log(2):8.2f}")
print(f"bound on log p(x), nats an image:           {-distortion - nats:8.2f}")

# The first call compiles.
drawn = whole.draw_codes(64, seed=options.seed)
began = time.perf_counter()
whole.draw_codes(64, seed=options.seed + 1)
print(f"64 grids of codes are drawn in {time.perf_counter() - began:.2f} s")
without = np.random.default_rng(options.seed).integers(vqvae.num_codes, size=drawn.shape)
pictures = {
    "samples": whole.decode_codes(drawn),
    "uniform": vqvae.decode_codes(without),
    "real": some,
}
for name, images in pictures.items():
    picture = visualize.in_a_square(np.asarray(images))
    write_whole(options.output_dir / f"{name}.png", drawing.png(picture))
print(f"Everything is in {options.output_dir}/")
