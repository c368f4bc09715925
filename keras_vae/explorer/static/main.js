// Puts the page together.

import { decompressed, fromBase85, unpackAll } from "./arrays.js";
import { createCard } from "./card.js";
import { createDrawingPad } from "./drawing_pad.js";
import { announce, byId, element, isDark } from "./elements.js";
import { createFrames } from "./jobs.js";
import { createLink, parsed } from "./link.js";
import { classOf, createMap } from "./map.js";
import { deviation, makeModel } from "./model.js";
import { draw, fromShares, pictureCanvas } from "./picture.js";
import { createSamples } from "./samples.js";
import { createSliders } from "./sliders.js";
import { createState } from "./state.js";
import { createTraversals } from "./traversals.js";
import { createWalk } from "./walk.js";

// Pictures of the check are rounded to grey levels: one of difference, and half for that.
const MOST_DEVIATION = 1.5 / 255;

async function read() {
  const bytes = await decompressed(fromBase85(byId("arrays").textContent));
  return unpackAll(JSON.parse(byId("data").textContent), bytes);
}

/** The codes that a walk begins with: of two examples, or of two draws of the prior. */
function walkEnds(data, model) {
  const examples = data.data?.examples;
  if (!examples || examples.index.length < 2) return [model.samplePrior(), model.samplePrior()];
  const row = (at) => examples.loc.subarray(at * model.latentDim, (at + 1) * model.latentDim);
  return [row(0), row(1)];
}

function createClasses(model, state) {
  const group = byId("classes");
  // A condition of a single number is no class.
  if (model.classes < 2) {
    group.remove();
    return;
  }
  const buttons = [null, ...Array(model.classes).keys()].map((chosen) => {
    const button = element(
      "button",
      { type: "button", click: () => state.setCondition(chosen) },
      chosen === null ? "any" : String(chosen),
    );
    group.append(button);
    return { chosen, button };
  });
  state.listen(() => {
    for (const { chosen, button } of buttons) {
      button.setAttribute("aria-pressed", String(chosen === state.condition));
    }
  });
}

/** The button for light and dark; returns what takes functions to call after a change. */
function createTheme() {
  const button = byId("theme");
  const listeners = [];
  function tell() {
    button.textContent = isDark() ? "Light" : "Dark";
    for (const listener of listeners) listener();
  }
  button.addEventListener("click", () => {
    document.documentElement.dataset.theme = isDark() ? "light" : "dark";
    tell();
  });
  window.matchMedia("(prefers-color-scheme: dark)").addEventListener("change", tell);
  tell();
  return (listener) => listeners.push(listener);
}

function notes(data, model) {
  const told = [];
  if (!data.data) {
    told.push("Made without images: ranges come from the prior, the order from the decoder.");
  } else if (data.data.total > data.data.loc.shape[0]) {
    const total = data.data.total.toLocaleString("en");
    told.push(`Dots are ${data.data.loc.shape[0].toLocaleString("en")} of ${total} images.`);
  }
  const off = deviation(model, data.check);
  if (!(off <= MOST_DEVIATION)) {
    told.push(
      "This page does not show what Keras shows: pictures differ by up to " +
        `${(255 * off).toFixed(0)} of 255 grey levels.`,
    );
  }
  byId("notes").append(...told.map((text) => element("p", {}, text)));
}

async function start() {
  const data = await read();
  const model = makeModel(data);
  byId("title").textContent = data.title;
  byId("subtitle").textContent = data.description;
  // Few sliders leave room for a larger map.
  byId("stage").classList.toggle("few", model.latentDim <= 4);

  const [first, second] = data.latents;
  const examples = data.data?.examples;
  const posterior = examples && {
    loc: examples.loc.slice(0, model.latentDim),
    scale: examples.scale.slice(0, model.latentDim),
  };
  const view = {
    code: posterior ? posterior.loc : model.priorMean,
    condition: examples ? classOf(data, model, examples.index[0]) : null,
    axes: [first.index, (second ?? first).index],
    ...parsed(window.location.hash, model),
  };
  const state = createState(Float32Array.from(view.code), view.condition, view.axes);
  const frames = createFrames(state.frame);
  state.wakes(frames.request);

  const canvas = pictureCanvas(model, "The picture that the code decodes to");
  byId("picture").append(canvas);
  let current = null;
  state.listen(() => {
    current = model.decode(state.code, state.condition);
    draw(canvas, current, model);
  });

  createClasses(model, state);
  createSliders(data, state);
  createMap(data, model, state, frames, createTheme());
  const pad = createDrawingPad(data, model, state);
  createWalk(model, state, frames, pad, walkEnds(data, model));
  createTraversals(data, model, state, frames);
  createSamples(data, model, state, frames);
  createCard(data);
  createLink(model, state);
  notes(data, model);

  byId("sample").addEventListener("click", () => {
    state.glideTo(model.samplePrior());
    announce("Went to a draw of the prior.");
  });
  byId("centre").addEventListener("click", () => state.glideTo(model.priorMean));
  if (pad && examples && !window.location.hash) {
    pad.set(fromShares(examples.pictures, 0, model), "jump");
  }
  state.changed();
  // For the console, and for tests.
  window.explorer = { data, model, state, pad, picture: () => current, ready: performance.now() };
}

start().catch((error) => {
  byId("notes").append(element("p", {}, `This page does not work in this browser: ${error}`));
  throw error;
});
