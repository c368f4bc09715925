// A slider for every latent, the most used first, unused ones folded away.

import { byId, element, shown } from "./elements.js";

const MOST_SHOWN = 24;
const BINS = 40;
const STEPS = 400;
const SVG = "http://www.w3.org/2000/svg";

/** The name of a latent: its own, or its number. */
export const nameOf = (latent) => latent.name ?? `z${latent.index}`;

/** An outline of how often codes take which values of a latent, or nothing without codes. */
function histogram(latent, codes) {
  const drawing = document.createElementNS(SVG, "svg");
  drawing.setAttribute("viewBox", `0 0 ${BINS} 1`);
  drawing.setAttribute("preserveAspectRatio", "none");
  drawing.setAttribute("aria-hidden", "true");
  drawing.setAttribute("class", "histogram");
  if (!codes) return drawing;
  const counts = new Array(BINS).fill(0);
  const [count, size] = codes.shape;
  for (let row = 0; row < count; row++) {
    const share = (codes[row * size + latent.index] - latent.low) / (latent.high - latent.low);
    const bin = Math.floor(share * BINS);
    if (bin >= 0 && bin < BINS) counts[bin] += 1;
  }
  const most = Math.max(...counts, 1);
  const path = document.createElementNS(SVG, "path");
  const outline = counts.map((one, bin) => `L${bin} ${1 - one / most}H${bin + 1}`).join("");
  path.setAttribute("d", `M0 1${outline}V1Z`);
  drawing.append(path);
  return drawing;
}

/** The values within one standard deviation of an encoded picture's mean. */
function spreadBar() {
  const bar = element("span", { class: "spread", "aria-hidden": "true" });
  return {
    bar,
    show(latent, posterior) {
      bar.hidden = posterior === null;
      if (!posterior) return;
      const at = (value) => (100 * (value - latent.low)) / (latent.high - latent.low);
      const [mean, scale] = [posterior.loc[latent.index], posterior.scale[latent.index]];
      const from = Math.max(at(mean - scale), 0);
      bar.style.left = `${from}%`;
      bar.style.width = `${Math.max(Math.min(at(mean + scale), 100) - from, 0)}%`;
    },
  };
}

function slider(latent, data, state, mostUse) {
  const name = nameOf(latent);
  const use = `${shown(latent.use, latent.use < 0.1 ? 3 : 2)} ${data.measure}`;
  const input = element("input", {
    type: "range",
    min: latent.low,
    max: latent.high,
    step: (latent.high - latent.low) / STEPS,
    "aria-label": `${name}, ${use}`,
    input: () => state.move([latent.index, Number(input.value)]),
    dblclick: () => state.move([latent.index, data.prior.mean[latent.index]]),
  });
  const output = element("output");
  const spread = spreadBar();
  const bar = element("span", { class: "use", "aria-hidden": "true" });
  bar.style.width = `${(100 * latent.use) / (mostUse || 1)}%`;
  const row = element(
    "div",
    { class: "slider", title: use },
    element("span", { class: "name" }, element("span", {}, name), bar),
    element("span", { class: "range" }, histogram(latent, data.data?.loc), spread.bar, input),
    output,
  );
  let last = null;
  return {
    row,
    update() {
      const value = state.code[latent.index];
      spread.show(latent, state.posterior);
      if (value === last) return;
      last = value;
      input.value = value;
      const share = (value - latent.low) / (latent.high - latent.low);
      input.style.setProperty("--share", Math.min(Math.max(share, 0), 1));
      output.textContent = shown(value);
      input.setAttribute("aria-valuetext", shown(value));
    },
  };
}

function folded(summary, rows) {
  return element("details", { class: "folded" }, element("summary", {}, summary), ...rows);
}

/** Fills the list of sliders. */
export function createSliders(data, state) {
  const hills = data.data ? " Grey hills are the codes of images." : "";
  byId("latents-help").textContent =
    `Drag a latent. The most used come first; bars below the names are ${data.measure}.${hills}`;
  const mostUse = Math.max(...data.latents.map((latent) => latent.use));
  const made = data.latents.map((latent) => ({
    latent,
    ...slider(latent, data, state, mostUse),
  }));
  const active = made.filter(({ latent }) => latent.active).map(({ row }) => row);
  const dead = made.filter(({ latent }) => !latent.active).map(({ row }) => row);
  const list = byId("sliders");
  list.append(...active.slice(0, MOST_SHOWN));
  const more = active.slice(MOST_SHOWN);
  if (more.length) list.append(folded(`${more.length} less used`, more));
  if (dead.length) {
    list.append(
      folded(dead.length === 1 ? "1 unused latent" : `${dead.length} unused latents`, dead),
    );
  }
  state.listen(() => {
    for (const one of made) one.update();
  });
}
