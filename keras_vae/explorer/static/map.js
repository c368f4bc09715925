// The map: a plane through two latents, to drag in, with the codes of images as dots.

import { announce, byId, colour, element, isDark, shown } from "./elements.js";
import { watchVisibility } from "./jobs.js";
import { draw, pictureCanvas } from "./picture.js";
import { nameOf } from "./sliders.js";

const NEAR = 9; // Pixels within which a dot is meant.
const MARGIN = 0.06;
const TILES = 11;
const RADIUS = 2.6;

/** The colour of a class: on dark ground the tints of those on light. */
function classColour({ palette, tints }, index) {
  const colours = isDark() ? [...tints, ...palette] : [...palette, ...tints];
  return colours[index % colours.length];
}

/** What dots are coloured by: a colour for each, and what a click on one announces. */
function colouring(data) {
  const found = data.data;
  if (!found) return null;
  if (found.labels) {
    return {
      of: (row) => classColour(data, found.labels[row]),
      tell: (row) => `an image labelled ${found.classes[found.labels[row]]}`,
    };
  }
  if (found.numbers) {
    const low = Math.min(...found.numbers);
    const width = Math.max(...found.numbers) - low || 1;
    return {
      of: (row) => `hsl(${250 - (210 * (found.numbers[row] - low)) / width} 70% 52%)`,
      tell: (row) => `an image labelled ${shown(found.numbers[row])}`,
    };
  }
  return { of: () => colour("accent"), tell: () => "an image" };
}

/** The class of a conditional model that an image has, or null where that is not known. */
export function classOf(data, model, row) {
  if (!model.classes || !data.data?.labels) return null;
  const chosen = Number(data.data.classes[data.data.labels[row]]);
  return Number.isInteger(chosen) && chosen >= 0 && chosen < model.classes ? chosen : null;
}

/** Fills the map. */
export function createMap(data, model, state, frames, onTheme) {
  const canvas = byId("map");
  const context = canvas.getContext("2d");
  const codes = data.data?.loc ?? null;
  const colours = colouring(data);
  const byIndex = new Map(data.latents.map((latent) => [latent.index, latent]));
  const isLine = model.latentDim === 1;
  const background = pictureCanvas(model, null);
  background.width = TILES * model.shape[1];
  background.height = (isLine ? 1 : TILES) * model.shape[0];
  // Dots are drawn once for all frames that show the same: a thousand take longer than a picture.
  const layer = element("canvas");
  const layerContext = layer.getContext("2d");
  let layerShows = "";
  // Known here, for asking the page would make it lay itself out on every frame.
  const size = { width: 1, height: 1, density: 1 };
  let ink = {};
  let picked = null;

  // Axes --------------------------------------------------------------------------------------

  const selects = [byId("map-x"), byId("map-y")];
  selects.forEach((select, axis) => {
    for (const latent of data.latents) {
      select.append(element("option", { value: latent.index }, nameOf(latent)));
    }
    select.addEventListener("change", () => {
      const chosen = [...state.axes];
      chosen[axis] = Number(select.value);
      // The same latent twice is no plane: they change places.
      if (chosen[0] === chosen[1]) chosen[1 - axis] = state.axes[axis];
      state.setAxes(chosen);
    });
  });
  if (isLine) byId("map-y-label").hidden = true;

  const latentOf = (axis) => byIndex.get(state.axes[axis]);

  /** Shares of the map's width and height for values of its latents, and back. */
  const shareOf = (value, { low, high }) =>
    MARGIN + ((1 - 2 * MARGIN) * (value - low)) / (high - low);
  const valueAt = (share, { low, high }) =>
    low + ((high - low) * (share - MARGIN)) / (1 - 2 * MARGIN);

  /** Where on the canvas a code is; with a single latent the rows spread dots over the height. */
  function place(code, row = null) {
    const x = shareOf(code[state.axes[0]], latentOf(0)) * size.width;
    if (isLine) {
      const share = row === null ? 0.5 : 0.15 + 0.7 * ((row * 0.618034) % 1);
      return [x, share * size.height];
    }
    return [x, (1 - shareOf(code[state.axes[1]], latentOf(1))) * size.height];
  }

  const codeOf = (row) => codes.subarray(row * model.latentDim, (row + 1) * model.latentDim);

  // Pictures behind the dots ------------------------------------------------------------------

  const toggle = byId("map-pictures");
  toggle.checked = model.latentDim <= 2 || !codes;
  toggle.addEventListener("change", state.changed);
  const isVisible = watchVisibility(canvas, () => frames.request());
  const tiles = [];
  let behind = "";

  function tile(column, row) {
    return frames.add({
      isVisible: () => toggle.checked && isVisible(),
      draw() {
        const code = state.code.slice();
        code[state.axes[0]] = valueAt((column + 0.5) / TILES, latentOf(0));
        if (!isLine) code[state.axes[1]] = valueAt(1 - (row + 0.5) / TILES, latentOf(1));
        const picture = model.decode(code, state.condition);
        draw(background, picture, model, column * model.shape[1], row * model.shape[0]);
        drawMap();
      },
    });
  }
  for (let i = 0; i < TILES * (isLine ? 1 : TILES); i++) {
    // In an order that jumps about, so that the whole plane changes at once.
    const at = (i * 37) % (TILES * (isLine ? 1 : TILES));
    tiles.push(tile(at % TILES, Math.floor(at / TILES)));
  }

  /** The pictures depend on all but the two latents of the map. */
  function refreshPictures() {
    const others = Array.from(state.code, (value, i) => (state.axes.includes(i) ? "" : value));
    const key = `${state.axes} ${state.condition} ${others}`;
    if (key !== behind && toggle.checked) {
      behind = key;
      frames.refresh(tiles);
    }
  }

  // Drawing -----------------------------------------------------------------------------------

  /** Has a canvas of the map's size, empty, on which lengths are those of the page. */
  function cleared(target, itsContext) {
    const { width, height, density } = size;
    target.width = Math.round(width * density);
    target.height = Math.round(height * density);
    itsContext.setTransform(density, 0, 0, density, 0, 0);
    itsContext.clearRect(0, 0, width, height);
  }

  function drawDots() {
    cleared(layer, layerContext);
    layerContext.strokeStyle = ink.surface;
    const crowded = codes.shape[0] > 300 ? RADIUS : RADIUS + 1;
    const radius = crowded * Math.min(Math.max(size.width / 400, 0.6), 1.2);
    layerContext.lineWidth = radius / 3;
    for (let row = 0; row < codes.shape[0]; row++) {
      const isPicked = picked === null || data.data.labels[row] === picked;
      layerContext.globalAlpha = isPicked ? 0.85 : 0.08;
      layerContext.fillStyle = dotColours[row];
      const [x, y] = place(codeOf(row), row);
      layerContext.beginPath();
      layerContext.arc(x, y, radius, 0, 2 * Math.PI);
      layerContext.fill();
      // Pictures behind are of any colour.
      if (toggle.checked && isPicked) layerContext.stroke();
    }
  }

  function drawAxes() {
    context.strokeStyle = ink.line;
    context.lineWidth = 1;
    const [x, y] = place(new Float32Array(model.latentDim));
    context.beginPath();
    context.moveTo(Math.round(x) + 0.5, 0);
    context.lineTo(Math.round(x) + 0.5, size.height);
    if (!isLine) {
      context.moveTo(0, Math.round(y) + 0.5);
      context.lineTo(size.width, Math.round(y) + 0.5);
    }
    context.stroke();
  }

  function drawPoint() {
    const inside = (value, most) => Math.min(Math.max(value, 7), most - 7);
    const [x, y] = place(state.code);
    context.beginPath();
    context.arc(inside(x, size.width), inside(y, size.height), 8, 0, 2 * Math.PI);
    context.lineWidth = 5;
    context.strokeStyle = ink.surface;
    context.stroke();
    context.lineWidth = 2.5;
    context.strokeStyle = ink.accent;
    context.stroke();
  }

  function drawMap() {
    const { width, height } = size;
    context.clearRect(0, 0, width, height);
    if (toggle.checked) {
      context.imageSmoothingEnabled = false;
      context.drawImage(background, 0, 0, width, height);
    } else {
      drawAxes();
    }
    if (codes) {
      const shows = `${state.axes} ${picked} ${toggle.checked}`;
      if (shows !== layerShows) drawDots();
      layerShows = shows;
      context.drawImage(layer, 0, 0, width, height);
    }
    drawPoint();
  }

  state.listen(() => {
    selects.forEach((select, axis) => {
      select.value = state.axes[axis];
    });
    canvas.setAttribute(
      "aria-label",
      `Map of ${nameOf(latentOf(0))}${isLine ? "" : ` and ${nameOf(latentOf(1))}`}: at ` +
        state.axes.map((latent) => shown(state.code[latent])).join(", "),
    );
    refreshPictures();
    drawMap();
  });
  new ResizeObserver(() => {
    size.width = canvas.clientWidth;
    size.height = canvas.clientHeight;
    size.density = window.devicePixelRatio || 1;
    cleared(canvas, context);
    layerShows = "";
    drawMap();
  }).observe(canvas);

  // Pointer and keys --------------------------------------------------------------------------

  function nearestDot(x, y) {
    if (!codes) return null;
    let nearest = null;
    let least = NEAR ** 2;
    for (let row = 0; row < codes.shape[0]; row++) {
      if (picked !== null && data.data.labels[row] !== picked) continue;
      const [dotX, dotY] = place(codeOf(row), row);
      const distance = (dotX - x) ** 2 + (dotY - y) ** 2;
      if (distance < least) [nearest, least] = [row, distance];
    }
    return nearest;
  }

  const within = (event) => {
    const box = canvas.getBoundingClientRect();
    return [event.clientX - box.left, event.clientY - box.top];
  };

  function moveTo(x, y) {
    const inside = (share) => Math.min(Math.max(share, 0), 1);
    const pairs = [[state.axes[0], valueAt(inside(x / size.width), latentOf(0))]];
    if (!isLine) {
      pairs.push([state.axes[1], valueAt(1 - inside(y / size.height), latentOf(1))]);
    }
    state.move(...pairs);
  }

  /** Where a press began, and the dot below it that a click would mean. */
  let press = null;
  canvas.addEventListener("pointerdown", (event) => {
    const [x, y] = within(event);
    press = { x, y, dot: nearestDot(x, y) };
    canvas.setPointerCapture(event.pointerId);
    if (press.dot === null) moveTo(x, y);
  });
  canvas.addEventListener("pointermove", (event) => {
    const [x, y] = within(event);
    canvas.classList.toggle("on-dot", !press && nearestDot(x, y) !== null);
    if (!press) return;
    if (press.dot !== null && Math.hypot(x - press.x, y - press.y) < 5) return;
    press.dot = null;
    moveTo(x, y);
  });
  canvas.addEventListener("pointerup", () => {
    if (press && press.dot !== null) {
      const chosen = classOf(data, model, press.dot);
      if (chosen !== null) state.setCondition(chosen);
      state.glideTo(codeOf(press.dot));
      announce(`At the code of ${colours.tell(press.dot)}.`);
    }
    press = null;
  });
  canvas.addEventListener("pointercancel", () => {
    press = null;
  });
  const KEYS = {
    ArrowLeft: [0, -1],
    ArrowRight: [0, 1],
    ArrowDown: [1, -1],
    ArrowUp: [1, 1],
  };
  canvas.addEventListener("keydown", (event) => {
    const step = KEYS[event.key];
    if (!step || (isLine && step[0] === 1)) return;
    event.preventDefault();
    const { index, low, high } = latentOf(step[0]);
    const size = (high - low) / (event.shiftKey ? 10 : 50);
    state.move([index, state.code[index] + step[1] * size]);
  });

  // The legend and the theme ------------------------------------------------------------------

  const legend = byId("legend");
  const swatches = [];
  let dotColours = [];
  function paint() {
    ink = { surface: colour("surface"), line: colour("line"), accent: colour("accent") };
    layerShows = "";
    if (codes) dotColours = Array.from({ length: codes.shape[0] }, (_, row) => colours.of(row));
    swatches.forEach((swatch, index) => {
      swatch.style.background = classColour(data, index);
    });
    state.changed();
  }
  onTheme(paint);

  /** Shows the dots of one class, or again of all. */
  function pick(index) {
    picked = picked === index ? null : index;
    [...legend.children].forEach((chip, place) => {
      chip.setAttribute("aria-pressed", String(place === picked));
    });
    drawMap();
  }

  if (codes && data.data.classes) {
    data.data.classes.forEach((name, index) => {
      const swatch = element("span", { class: "swatch" });
      swatches.push(swatch);
      const attributes = { type: "button", "aria-pressed": "false", click: () => pick(index) };
      legend.append(element("button", attributes, swatch, name));
    });
  } else if (codes && data.data.numbers) {
    const ends = [Math.min(...data.data.numbers), Math.max(...data.data.numbers)];
    legend.append(
      element("span", {}, shown(ends[0])),
      element("span", { class: "ramp", "aria-hidden": "true" }),
      element("span", {}, shown(ends[1])),
    );
  }
  paint();
}
