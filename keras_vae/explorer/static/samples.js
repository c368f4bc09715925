// Draws of the prior, to look at and to go to.

import { byId, element } from "./elements.js";
import { watchVisibility } from "./jobs.js";
import { draw, pictureCanvas } from "./picture.js";

const COUNT = 16;
const PRIORS = {
  normal: "Codes drawn from the prior, a normal distribution.",
  mixture: "Codes drawn from the model's own prior, a mixture of normal distributions.",
  drawn: "Codes of the model's own prior, drawn when this page was made.",
};

/** Fills the section of samples. */
export function createSamples(data, model, state, frames) {
  byId("prior-kind").textContent = PRIORS[data.prior.kind];
  const shelf = byId("samples");
  const isVisible = watchVisibility(shelf, () => frames.request());
  const codes = [];
  const tasks = [];
  for (let i = 0; i < COUNT; i++) {
    codes.push(model.samplePrior());
    const canvas = pictureCanvas(model, null);
    const attributes = { type: "button", "aria-label": `Go to sample ${i + 1}` };
    shelf.append(
      element("button", { ...attributes, click: () => state.glideTo(codes[i]) }, canvas),
    );
    tasks.push(
      frames.add({
        isVisible,
        draw: () => draw(canvas, model.decode(codes[i], state.condition), model),
      }),
    );
  }
  byId("draw-samples").addEventListener("click", () => {
    codes.forEach((_, i) => {
      codes[i] = model.samplePrior();
    });
    frames.refresh(tasks);
  });
  let condition = state.condition;
  state.listen(() => {
    if (state.condition !== condition) frames.refresh(tasks);
    condition = state.condition;
  });
}
