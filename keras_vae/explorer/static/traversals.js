// What each latent does from here: a row of pictures for every one, others as they are.

import { byId, element, shown } from "./elements.js";
import { watchVisibility } from "./jobs.js";
import { draw, pictureCanvas } from "./picture.js";
import { nameOf } from "./sliders.js";

const MOST_ROWS = 24;
const TILES = 9;
const GAP = 1;

function traversal(latent, model, state, frames) {
  const { low, high } = latent;
  const name = nameOf(latent);
  const label = `${name} from ${shown(low)} to ${shown(high)}, all else as it is`;
  const canvas = pictureCanvas(model, label, TILES, GAP);
  const marker = element("span", { class: "marker", "aria-hidden": "true" });
  const frame = element("div", { class: "strip" }, canvas, marker);
  const row = element(
    "div",
    { class: "traversal" },
    element("span", { class: "name" }, name),
    frame,
  );
  const isVisible = watchVisibility(row, () => frames.request());
  const valueAt = (tile) => low + ((high - low) * tile) / (TILES - 1);
  const tasks = [];
  let marked = null;
  for (let tile = 0; tile < TILES; tile++) {
    tasks.push(
      frames.add({
        isVisible,
        draw() {
          const code = state.code.slice();
          code[latent.index] = valueAt(tile);
          draw(canvas, model.decode(code, state.condition), model, tile * (model.shape[1] + GAP));
        },
      }),
    );
  }
  canvas.addEventListener("click", (event) => {
    const box = canvas.getBoundingClientRect();
    const tile = Math.floor((TILES * (event.clientX - box.left)) / box.width);
    const code = state.code.slice();
    code[latent.index] = valueAt(Math.min(Math.max(tile, 0), TILES - 1));
    state.glideTo(code);
  });
  return {
    row,
    tasks,
    mark() {
      const share = (state.code[latent.index] - low) / (high - low);
      const tile = Math.min(Math.max(Math.round(share * (TILES - 1)), 0), TILES - 1);
      if (tile === marked) return;
      marked = tile;
      marker.style.left = `${(100 * tile) / TILES}%`;
      marker.style.width = `${100 / TILES}%`;
    },
  };
}

/** Fills the section of traversals: of the latents that are used most. */
export function createTraversals(data, model, state, frames) {
  const chosen = data.latents.filter((latent) => latent.active).slice(0, MOST_ROWS);
  const rows = chosen.map((latent) => traversal(latent, model, state, frames));
  byId("traversals").append(...rows.map(({ row }) => row));
  state.listen(() => {
    for (const one of rows) {
      one.mark();
      frames.refresh(one.tasks);
    }
  });
}
