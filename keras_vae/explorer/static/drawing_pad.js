// A picture of the visitor's: drawn, dropped, pasted or chosen, then encoded and reconstructed.

import { announce, byId, element, shown } from "./elements.js";
import { classOf } from "./map.js";
import { draw, fromShares, pictureCanvas } from "./picture.js";

/** What the ground of the model's images is, black or white: by the borders of examples. */
function groundOf(data, model) {
  if (!data.data) return 0;
  const [height, width, channels] = model.shape;
  const { pictures } = data.data.examples;
  let sum = 0;
  let count = 0;
  for (let row = 0; row < pictures.shape[0]; row++) {
    for (let y = 0; y < height; y++) {
      for (const x of [0, width - 1]) {
        sum += pictures[row * model.size + (y * width + x) * channels];
        count += 1;
      }
    }
  }
  return sum / count > 0.5 ? 1 : 0;
}

/** An image file as a model's values, fitted whole into its shape. */
async function read(file, model, ground) {
  const [height, width, channels] = model.shape;
  const image = await createImageBitmap(file);
  const canvas = element("canvas");
  [canvas.width, canvas.height] = [width, height];
  const context = canvas.getContext("2d");
  context.fillStyle = ground ? "white" : "black";
  context.fillRect(0, 0, width, height);
  context.imageSmoothingQuality = "high";
  const scale = Math.min(width / image.width, height / image.height);
  const size = [image.width * scale, image.height * scale];
  context.drawImage(image, (width - size[0]) / 2, (height - size[1]) / 2, ...size);
  const { data } = context.getImageData(0, 0, width, height);
  const values = new Float32Array(model.size);
  for (let pixel = 0; pixel < height * width; pixel++) {
    const [red, green, blue] = data.subarray(4 * pixel, 4 * pixel + 3);
    const parts =
      channels === 3 ? [red, green, blue] : [0.299 * red + 0.587 * green + 0.114 * blue];
    parts.forEach((part, channel) => {
      values[pixel * channels + channel] = model.low + (part / 255) * (model.high - model.low);
    });
  }
  return values;
}

/** Has an element take images that are dropped on it. */
export function takeDrops(target, take) {
  target.addEventListener("dragover", (event) => {
    event.preventDefault();
    target.classList.add("dropping");
  });
  target.addEventListener("dragleave", () => target.classList.remove("dropping"));
  target.addEventListener("drop", (event) => {
    event.preventDefault();
    target.classList.remove("dropping");
    if (event.dataTransfer.files.length) take(event.dataTransfer.files[0]);
  });
}

/** Fills the section where images are encoded, or takes it away. */
export function createDrawingPad(data, model, state) {
  if (!model.encode) {
    byId("own").remove();
    return null;
  }
  const ground = groundOf(data, model);
  const [height, width, channels] = model.shape;
  const level = (share) => model.low + share * (model.high - model.low);
  const values = new Float32Array(model.size).fill(level(ground));
  const pad = pictureCanvas(model, "What you drew. Draw with a mouse, a pen or a finger.");
  const made = pictureCanvas(model, "Its reconstruction");
  byId("pad").append(pad);
  byId("reconstruction").append(made);
  const error = byId("reconstruction-error");

  /** Shows the picture on the pad and what the model makes of it; returns its code. */
  function reconstruct() {
    const posterior = model.encode(values, state.condition);
    const reconstruction = model.decode(posterior.loc, state.condition);
    draw(pad, values, model);
    draw(made, reconstruction, model);
    const squares = reconstruction.reduce((sum, value, i) => sum + (value - values[i]) ** 2, 0);
    error.textContent = `mean squared error ${shown(squares / model.size, 4)}`;
    return posterior;
  }

  /** Encodes the picture on the pad, and goes to its code. */
  function encode(move = "jump") {
    const posterior = reconstruct();
    state[move](posterior.loc, posterior);
  }

  let condition = state.condition;
  state.listen(() => {
    if (state.condition === condition) return;
    condition = state.condition;
    reconstruct();
  });

  function set(picture, move = "glideTo") {
    values.set(picture);
    encode(move);
  }

  // Drawing -----------------------------------------------------------------------------------

  const radius = Math.max(Math.min(height, width) / 22, 0.9);
  let last = null;

  /** A soft round brush, whose ink is the opposite of the ground. */
  function stamp(x, y) {
    const reach = Math.ceil(radius + 1);
    for (let row = Math.floor(y) - reach; row <= y + reach; row++) {
      for (let column = Math.floor(x) - reach; column <= x + reach; column++) {
        if (row < 0 || row >= height || column < 0 || column >= width) continue;
        const distance = Math.hypot(column + 0.5 - x, row + 0.5 - y);
        const ink = Math.min(Math.max(radius + 0.5 - distance, 0), 1);
        for (let channel = 0; channel < channels; channel++) {
          const at = (row * width + column) * channels + channel;
          const inked = level(ground ? 1 - ink : ink);
          values[at] = ground ? Math.min(values[at], inked) : Math.max(values[at], inked);
        }
      }
    }
  }

  function at(event) {
    const box = pad.getBoundingClientRect();
    return [
      ((event.clientX - box.left) / box.width) * width,
      ((event.clientY - box.top) / box.height) * height,
    ];
  }

  function stroke(event) {
    const [x, y] = at(event);
    const [fromX, fromY] = last ?? [x, y];
    const count = Math.ceil(Math.hypot(x - fromX, y - fromY) * 2) + 1;
    for (let i = 1; i <= count; i++) {
      stamp(fromX + ((x - fromX) * i) / count, fromY + ((y - fromY) * i) / count);
    }
    last = [x, y];
    encode();
  }

  pad.addEventListener("pointerdown", (event) => {
    pad.setPointerCapture(event.pointerId);
    last = null;
    stroke(event);
  });
  pad.addEventListener("pointermove", (event) => {
    if (event.buttons) stroke(event);
  });

  // Files -------------------------------------------------------------------------------------

  async function take(file) {
    try {
      set(await read(file, model, ground));
      announce("Encoded the image.");
    } catch {
      error.textContent = "That is no image that this browser can read.";
    }
  }

  takeDrops(byId("own"), take);
  document.addEventListener("paste", (event) => {
    const [file] = event.clipboardData?.files ?? [];
    if (file) take(file);
  });
  const chooser = byId("choose-file");
  chooser.addEventListener("change", () => {
    if (chooser.files.length) take(chooser.files[0]);
    chooser.value = "";
  });
  byId("choose").addEventListener("click", () => chooser.click());
  byId("clear").addEventListener("click", () => {
    values.fill(level(ground));
    encode("glideTo");
  });
  byId("invert").addEventListener("click", () => {
    set(values.map((value) => model.low + model.high - value));
  });

  // Examples ----------------------------------------------------------------------------------

  const shelf = byId("examples");
  if (data.data) {
    const { pictures, index } = data.data.examples;
    index.forEach((row, place) => {
      const picture = fromShares(pictures, place, model);
      const canvas = pictureCanvas(model, null);
      draw(canvas, picture, model);
      const label = data.data.labels ? data.data.classes[data.data.labels[row]] : `${place + 1}`;
      const attributes = { type: "button", "aria-label": `Take example ${label}` };
      const take = () => {
        const chosen = classOf(data, model, row);
        if (chosen !== null) state.setCondition(chosen);
        set(picture);
      };
      shelf.append(element("button", { ...attributes, click: take }, canvas));
    });
  } else {
    byId("examples-heading").remove();
  }

  reconstruct();
  return { set, values, read: (file) => read(file, model, ground) };
}
