// The model: codes to pictures, pictures to codes, and the prior.

import { network } from "./layers.js";

/** The mean of a continuous Bernoulli pixel by its logit. */
function continuousMean(logit) {
  if (Math.abs(logit) < 1e-2) return 0.5 + logit / 12 - logit ** 3 / 720;
  return 1 / -Math.expm1(-logit) - 1 / logit;
}

const MEANS = {
  bernoulli: (logit) => 1 / (1 + Math.exp(-logit)),
  continuous_bernoulli: continuousMean,
  gaussian: (loc) => loc,
};

/** A draw of N(0, 1) (Box & Muller, 1958). */
function normal() {
  return Math.sqrt(-2 * Math.log(1 - Math.random())) * Math.cos(2 * Math.PI * Math.random());
}

/** The index of a draw by weights that add up to 1. */
function drawn(weights) {
  let left = Math.random();
  for (let i = 0; i < weights.length - 1; i++) {
    left -= weights[i];
    if (left < 0) return i;
  }
  return weights.length - 1;
}

function priorSampler(prior, size) {
  const row = (table, index) => table.subarray(index * size, (index + 1) * size);
  const around = (loc, scale) => loc.map((mean, i) => mean + scale[i] * normal());
  if (prior.kind === "normal") return () => around(prior.loc, prior.scale);
  if (prior.kind === "mixture") {
    return () => {
      const component = drawn(prior.weights);
      return around(row(prior.loc, component), row(prior.scale, component));
    };
  }
  const count = prior.codes.shape[0];
  return () => row(prior.codes, Math.floor(Math.random() * count)).slice();
}

/** What the page's values describe, as functions. Codes and pictures are Float32Arrays. */
export function makeModel(data) {
  const latentDim = data.latents.length;
  const { shape, condition } = data;
  const size = shape[0] * shape[1] * shape[2];
  const conditionSize = condition ? condition.size : 0;
  const runDecoder = network(data.decoder, [latentDim + conditionSize]);
  const runEncoder = data.encoder && network(data.encoder, data.event_shape);
  const mean = MEANS[data.likelihood];
  const given = new Float32Array(latentDim + conditionSize);

  /** How much of each class: one alone, or without one the same of all. */
  function shares(chosen) {
    const result = new Float32Array(conditionSize);
    if (chosen === null) result.fill(1 / conditionSize);
    else result[chosen] = 1;
    return result;
  }

  /** The mean of p(x|z), a picture of its own. */
  function decode(code, chosen = null) {
    given.set(code);
    if (condition) given.set(shares(chosen), latentDim);
    return runDecoder(given).map(mean);
  }

  /** Mean and standard deviation of q(z|x). */
  function encode(picture, chosen = null) {
    let seen = picture;
    if (condition) {
      seen = picture.slice();
      shares(chosen).forEach((share, row) => {
        for (let i = 0; i < size; i++) seen[i] += share * condition.kernel[row * size + i];
      });
    }
    const { loc, scale } = runEncoder(seen);
    return { loc: loc.slice(), scale: scale.slice() };
  }

  return {
    latentDim,
    shape,
    size,
    low: data.low,
    high: data.high,
    classes: conditionSize,
    decode,
    encode: runEncoder ? encode : null,
    priorMean: data.prior.mean,
    samplePrior: priorSampler(data.prior, latentDim),
  };
}

/** The greatest difference from pictures that Keras decoded, in shares of the values' range. */
export function deviation(model, { codes, pictures }) {
  let greatest = 0;
  const width = model.high - model.low;
  for (let row = 0; row < codes.shape[0]; row++) {
    const code = codes.subarray(row * model.latentDim, (row + 1) * model.latentDim);
    model.decode(code).forEach((value, i) => {
      const share = Math.min(Math.max((value - model.low) / width, 0), 1);
      const difference = Math.abs(share - pictures[row * model.size + i]);
      // NaN compares as false.
      if (!(difference <= greatest)) greatest = difference;
    });
  }
  return greatest;
}
