"""How well a model's latents are the factors that its images were made of.

One metric a file, arrays in, dict out: `codes [n, latent]` and `factors [n, num_factors]`, and of
the dict the headline number is `"score"`. None knows of a model or of TensorFlow; `evaluate` asks a
model for its codes and runs them all. Those that train a classifier need scikit-learn, which
`pip install 'keras-vae[disentanglement]'` brings.

| score | headline number | needs |
|---|---|---|
| `beta_vae_score` | accuracy: which factor do pairs share? | held factors, scikit-learn |
| `factor_vae_score` | accuracy: which factor is held? | held factors |
| `mutual_information_gap` | information of the best latent above the second | |
| `posterior_mutual_information_gap` | likewise from the posterior, without bins | scales |
| `sap_score` | predictability from the best latent above the second | scikit-learn |
| `dci` | disentanglement; and completeness, informativeness | scikit-learn |
| `modularity_explicitness` | modularity; and explicitness | scikit-learn |
| `interventional_robustness` | how little a latent moves when other factors change | |
| `gaussian_total_correlation` | nats, lower is better | no factors |
| `unsupervised_disentanglement_ranking` | agreement with other models | several models |
"""

from keras_vae.disentanglement.beta_vae_score import beta_vae_score
from keras_vae.disentanglement.dci import dci
from keras_vae.disentanglement.evaluate import Report, evaluate
from keras_vae.disentanglement.factor_vae_score import factor_vae_score
from keras_vae.disentanglement.gaussian_total_correlation import gaussian_total_correlation
from keras_vae.disentanglement.interventional_robustness import interventional_robustness
from keras_vae.disentanglement.modularity_explicitness import modularity_explicitness
from keras_vae.disentanglement.mutual_information_gap import mutual_information_gap
from keras_vae.disentanglement.posterior_mutual_information_gap import (
    posterior_mutual_information_gap,
)
from keras_vae.disentanglement.sap_score import sap_score
from keras_vae.disentanglement.unsupervised_disentanglement_ranking import (
    unsupervised_disentanglement_ranking,
)

__all__ = [
    "Report",
    "beta_vae_score",
    "dci",
    "evaluate",
    "factor_vae_score",
    "gaussian_total_correlation",
    "interventional_robustness",
    "modularity_explicitness",
    "mutual_information_gap",
    "posterior_mutual_information_gap",
    "sap_score",
    "unsupervised_disentanglement_ranking",
]
