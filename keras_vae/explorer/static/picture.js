// Pictures on canvases: a pixel of the model is a pixel of the canvas, which the style enlarges.

import { element } from "./elements.js";

/** Draws values into a canvas, the picture's upper left corner at (left, top). */
export function draw(canvas, values, { shape, low, high }, left = 0, top = 0) {
  const [height, width, channels] = shape;
  const image = new ImageData(width, height);
  const scale = 255 / (high - low);
  for (let pixel = 0; pixel < height * width; pixel++) {
    for (let channel = 0; channel < 3; channel++) {
      const value = values[pixel * channels + (channels === 3 ? channel : 0)];
      image.data[4 * pixel + channel] = Math.round((value - low) * scale);
    }
    image.data[4 * pixel + 3] = 255;
  }
  canvas.getContext("2d").putImageData(image, left, top);
}

/** A canvas for so many of a model's pictures beside each other. */
export function pictureCanvas({ shape }, label, columns = 1, gap = 0) {
  const canvas = element("canvas", { class: "picture" });
  if (label) {
    canvas.setAttribute("role", "img");
    canvas.setAttribute("aria-label", label);
  } else {
    canvas.setAttribute("aria-hidden", "true");
  }
  canvas.width = columns * (shape[1] + gap) - gap;
  canvas.height = shape[0];
  return canvas;
}

/** Shares in [0, 1] of a row in a table of pictures, as a model's values. */
export function fromShares(table, row, { size, low, high }) {
  const shares = table.subarray(row * size, (row + 1) * size);
  return shares.map((share) => low + share * (high - low));
}
