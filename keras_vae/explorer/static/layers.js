// The layers of networks, one image at a time: each is made once for the shapes of its inputs, and
// then fills the same output again and again.

const SELU_SCALE = 1.0507009873554805;
const SELU_ALPHA = 1.6732632423543772;

const softplus = (x) => Math.max(x, 0) + Math.log1p(Math.exp(-Math.abs(x)));
const sigmoid = (x) => 1 / (1 + Math.exp(-x));
const leaky = (slope) => (x) => (x > 0 ? x : slope * x);
const elu = (alpha) => (x) => (x > 0 ? x : alpha * Math.expm1(x));

/** The error function to 1.5e-7 (Abramowitz & Stegun, 7.1.26). */
function erf(x) {
  const t = 1 / (1 + 0.3275911 * Math.abs(x));
  const series =
    t *
    (0.254829592 + t * (-0.284496736 + t * (1.421413741 + t * (-1.453152027 + t * 1.061405429))));
  return Math.sign(x) * (1 - series * Math.exp(-x * x));
}

const ACTIVATIONS = {
  elu: ({ alpha = 1 }) => elu(alpha),
  exponential: () => Math.exp,
  gelu: () => (x) => 0.5 * x * (1 + erf(x * Math.SQRT1_2)),
  leaky_relu: ({ slope = 0.2 }) => leaky(slope),
  relu: () => (x) => (x > 0 ? x : 0),
  relu6: () => (x) => Math.min(Math.max(x, 0), 6),
  relu_between: ({ maximum, slope, threshold }) => {
    const most = maximum === null ? Number.POSITIVE_INFINITY : maximum;
    return (x) => (x < threshold ? slope * (x - threshold) : Math.min(x, most));
  },
  selu: () => (x) => SELU_SCALE * elu(SELU_ALPHA)(x),
  sigmoid: () => sigmoid,
  silu: () => (x) => x * sigmoid(x),
  softplus: () => softplus,
  softsign: () => (x) => x / (1 + Math.abs(x)),
  tanh: () => Math.tanh,
};

const SCALES = {
  softplus,
  square: (x) => x * x,
  exp: (x) => Math.exp(Math.min(Math.max(x, -10), 10)),
  log_variance: (x) => Math.exp(Math.min(Math.max(x / 2, -10), 10)),
};

const sizeOf = (shape) => shape.reduce((product, side) => product * side, 1);

/** Applies an activation to all values, in place. */
function activator(activation) {
  if (activation.name === "linear") return () => {};
  const apply = ACTIVATIONS[activation.name](activation);
  return (values) => {
    for (let i = 0; i < values.length; i++) values[i] = apply(values[i]);
  };
}

/** A layer that maps value by value. */
function elementwise(shape, apply) {
  const output = new Float32Array(sizeOf(shape));
  const run = ([input]) => {
    for (let i = 0; i < output.length; i++) output[i] = apply(input[i]);
    return output;
  };
  return { shape, run };
}

function fillWith(output, bias) {
  if (!bias) return output.fill(0);
  for (let i = 0; i < output.length; i += bias.length) output.set(bias, i);
  return output;
}

// The inputs that are not 0, after a ReLU half of them: where their weights begin, and they.
let places = new Int32Array(0);
let values = new Float64Array(0);

/**
 * Adds the product of `width` inputs and a matrix of weights `[width, units]` to `units` outputs.
 *
 * Eight sums at a time stay out of memory until they are done: ten times as fast as adding to the
 * outputs one by one.
 */
function addProduct(input, from, width, weights, at, output, to, units) {
  if (places.length < width) {
    places = new Int32Array(width);
    values = new Float64Array(width);
  }
  let count = 0;
  for (let i = 0; i < width; i++) {
    const value = input[from + i];
    if (value === 0) continue;
    places[count] = at + i * units;
    values[count] = value;
    count += 1;
  }
  let unit = 0;
  for (; unit + 8 <= units; unit += 8) {
    let a = 0;
    let b = 0;
    let c = 0;
    let d = 0;
    let e = 0;
    let f = 0;
    let g = 0;
    let h = 0;
    for (let i = 0; i < count; i++) {
      const value = values[i];
      const place = places[i] + unit;
      a += value * weights[place];
      b += value * weights[place + 1];
      c += value * weights[place + 2];
      d += value * weights[place + 3];
      e += value * weights[place + 4];
      f += value * weights[place + 5];
      g += value * weights[place + 6];
      h += value * weights[place + 7];
    }
    const first = to + unit;
    output[first] += a;
    output[first + 1] += b;
    output[first + 2] += c;
    output[first + 3] += d;
    output[first + 4] += e;
    output[first + 5] += f;
    output[first + 6] += g;
    output[first + 7] += h;
  }
  for (; unit < units; unit++) {
    let sum = 0;
    for (let i = 0; i < count; i++) sum += values[i] * weights[places[i] + unit];
    output[to + unit] += sum;
  }
}

function dense({ kernel, bias, activation }, [shape]) {
  const [width, units] = kernel.shape;
  const rows = sizeOf(shape) / width;
  const output = new Float32Array(rows * units);
  const activate = activator(activation);
  const run = ([input]) => {
    fillWith(output, bias);
    for (let row = 0; row < rows; row++) {
      addProduct(input, row * width, width, kernel, 0, output, row * units, units);
    }
    activate(output);
    return output;
  };
  return { shape: [...shape.slice(0, -1), units], run };
}

/** Where a window of a strided convolution begins, and how many there are, on one axis. */
function windows(size, kernel, stride, padding) {
  if (padding === "valid") return { count: Math.floor((size - kernel) / stride) + 1, before: 0 };
  const count = Math.ceil(size / stride);
  const total = Math.max((count - 1) * stride + kernel - size, 0);
  return { count, before: Math.floor(total / 2) };
}

function conv2d({ kernel, bias, strides, padding, dilation, activation }, [shape]) {
  const [height, width, channels] = shape;
  const [rows, columns, , filters] = kernel.shape;
  const down = windows(height, (rows - 1) * dilation[0] + 1, strides[0], padding);
  const along = windows(width, (columns - 1) * dilation[1] + 1, strides[1], padding);
  const output = new Float32Array(down.count * along.count * filters);
  const activate = activator(activation);
  const run = ([input]) => {
    fillWith(output, bias);
    for (let y = 0; y < down.count; y++) {
      for (let x = 0; x < along.count; x++) {
        const to = (y * along.count + x) * filters;
        for (let row = 0; row < rows; row++) {
          const sourceY = y * strides[0] - down.before + row * dilation[0];
          if (sourceY < 0 || sourceY >= height) continue;
          for (let column = 0; column < columns; column++) {
            const sourceX = x * strides[1] - along.before + column * dilation[1];
            if (sourceX < 0 || sourceX >= width) continue;
            const source = (sourceY * width + sourceX) * channels;
            const at = (row * columns + column) * channels * filters;
            addProduct(input, source, channels, kernel, at, output, to, filters);
          }
        }
      }
    }
    activate(output);
    return output;
  };
  return { shape: [down.count, along.count, filters], run };
}

/** How large a transposed convolution makes one axis, and how far it begins outside. */
function spread(size, kernel, stride, padding) {
  const more = Math.max(kernel - stride, 0);
  return padding === "valid"
    ? { count: size * stride + more, before: 0 }
    : { count: size * stride, before: Math.floor(more / 2) };
}

/** A kernel [rows, columns, out, in] as [rows, columns, in, out], whose last axis is added along. */
function swapped(kernel) {
  const [rows, columns, filters, channels] = kernel.shape;
  const result = new Float32Array(kernel.length);
  for (let place = 0; place < rows * columns; place++) {
    const at = place * filters * channels;
    for (let f = 0; f < filters; f++) {
      for (let c = 0; c < channels; c++) {
        result[at + c * filters + f] = kernel[at + f * channels + c];
      }
    }
  }
  return result;
}

function conv2dTranspose({ kernel, bias, strides, padding, activation }, [shape]) {
  const [height, width, channels] = shape;
  const [rows, columns, filters] = kernel.shape;
  const weights = swapped(kernel);
  const down = spread(height, rows, strides[0], padding);
  const along = spread(width, columns, strides[1], padding);
  const output = new Float32Array(down.count * along.count * filters);
  const activate = activator(activation);
  const run = ([input]) => {
    fillWith(output, bias);
    for (let y = 0; y < height; y++) {
      for (let x = 0; x < width; x++) {
        const source = (y * width + x) * channels;
        for (let row = 0; row < rows; row++) {
          const toY = y * strides[0] - down.before + row;
          if (toY < 0 || toY >= down.count) continue;
          for (let column = 0; column < columns; column++) {
            const toX = x * strides[1] - along.before + column;
            if (toX < 0 || toX >= along.count) continue;
            const to = (toY * along.count + toX) * filters;
            const at = (row * columns + column) * channels * filters;
            addProduct(input, source, channels, weights, at, output, to, filters);
          }
        }
      }
    }
    activate(output);
    return output;
  };
  return { shape: [down.count, along.count, filters], run };
}

/** Scales and shifts, channel by channel or all alike. */
function affine({ scale, offset }, [shape]) {
  const output = new Float32Array(sizeOf(shape));
  const channels = scale.length;
  const run = ([input]) => {
    for (let i = 0; i < output.length; i++) {
      output[i] = input[i] * scale[i % channels] + offset[i % channels];
    }
    return output;
  };
  return { shape, run };
}

function reshape({ shape: target }, [shape]) {
  const size = sizeOf(shape);
  const known = target.filter((side) => side !== -1);
  const resolved = target.map((side) => (side === -1 ? size / sizeOf(known) : side));
  return { shape: resolved, run: ([input]) => input };
}

function upSampling({ size: [down, along] }, [[height, width, channels]]) {
  const output = new Float32Array(height * down * width * along * channels);
  const run = ([input]) => {
    for (let y = 0; y < height * down; y++) {
      for (let x = 0; x < width * along; x++) {
        const from = (Math.floor(y / down) * width + Math.floor(x / along)) * channels;
        const to = (y * width * along + x) * channels;
        for (let c = 0; c < channels; c++) output[to + c] = input[from + c];
      }
    }
    return output;
  };
  return { shape: [height * down, width * along, channels], run };
}

function add(_, [shape]) {
  const output = new Float32Array(sizeOf(shape));
  const run = (inputs) => {
    output.fill(0);
    for (const input of inputs) {
      for (let i = 0; i < output.length; i++) output[i] += input[i];
    }
    return output;
  };
  return { shape, run };
}

function concatenate(_, shapes) {
  const widths = shapes.map((shape) => shape[shape.length - 1]);
  const width = widths.reduce((sum, one) => sum + one, 0);
  const shape = [...shapes[0].slice(0, -1), width];
  const output = new Float32Array(sizeOf(shape));
  const run = (inputs) => {
    let begin = 0;
    inputs.forEach((input, index) => {
      for (let row = 0; row < output.length / width; row++) {
        for (let i = 0; i < widths[index]; i++) {
          output[row * width + begin + i] = input[row * widths[index] + i];
        }
      }
      begin += widths[index];
    });
    return output;
  };
  return { shape, run };
}

function activation({ activation: chosen }, [shape]) {
  if (chosen.name === "linear") return { shape, run: ([input]) => input };
  return elementwise(shape, ACTIVATIONS[chosen.name](chosen));
}

function positiveScale({ parameterization, minimum }, [shape]) {
  const scale = SCALES[parameterization];
  return elementwise(shape, (x) => scale(x) + minimum);
}

const LAYERS = {
  activation,
  add,
  affine,
  concatenate,
  conv2d,
  conv2d_transpose: conv2dTranspose,
  dense,
  positive_scale: positiveScale,
  reshape,
  up_sampling: upSampling,
};

/**
 * A network, made for inputs of one shape.
 *
 * Returns a function from the input's values to the outputs', which are overwritten by the next
 * call.
 */
export function network({ steps, outputs }, inputShape) {
  const shapes = [inputShape];
  const layers = steps.map((step) => {
    const layer = LAYERS[step.op](
      step,
      step.from.map((index) => shapes[index]),
    );
    shapes.push(layer.shape);
    return layer;
  });
  return (input) => {
    const values = [input];
    layers.forEach((layer, index) => {
      values.push(layer.run(steps[index].from.map((source) => values[source])));
    });
    if (typeof outputs === "number") return values[outputs];
    return Object.fromEntries(Object.entries(outputs).map(([name, at]) => [name, values[at]]));
  };
}
