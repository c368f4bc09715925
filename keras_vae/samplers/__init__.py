"""New codes like those of a trained model, for models whose codes do not follow the prior.

One sampler a file, one interface: `fit(codes)` and `sample(n, seed)`, codes being `[n, latent]`.
None knows of a model, but for the one that draws from a model's own prior; `codes_of` asks a model
for its codes, and `vae.sample(n, sampler=sampler)` decodes new ones.

| sampler | q(z), the density of all codes, is taken for | needs |
|---|---|---|
| `PriorSampler` | the model's own prior, or N(0, I) | |
| `GaussianMixtureSampler` | a mixture of Gaussians | scikit-learn |
| `FlowSampler` | a masked autoregressive flow | |
| `SecondStageSampler` | a second VAE, whose images are codes | |

`sampler.save("sampler.keras")` and `keras.saving.load_model` bring one back that draws the same.
"""

from keras_vae.samplers.codes import codes_of
from keras_vae.samplers.flow_sampler import FlowSampler
from keras_vae.samplers.gaussian_mixture_sampler import GaussianMixtureSampler
from keras_vae.samplers.prior_sampler import PriorSampler
from keras_vae.samplers.sampler import Sampler
from keras_vae.samplers.second_stage_sampler import SecondStageSampler

__all__ = [
    "FlowSampler",
    "GaussianMixtureSampler",
    "PriorSampler",
    "Sampler",
    "SecondStageSampler",
    "codes_of",
]
