// A walk on the line between two codes: as a strip, by hand, and by itself.

import { takeDrops } from "./drawing_pad.js";
import { byId, element } from "./elements.js";
import { watchVisibility } from "./jobs.js";
import { draw, pictureCanvas } from "./picture.js";

const TILES = 9;
const PERIOD = 4000; // Milliseconds there and back.

/** Fills the section of the walk, from one code to another. */
export function createWalk(model, state, frames, pad, starts) {
  const ends = starts.map((code) => Float32Array.from(code));
  const position = byId("walk-position");
  const play = byId("walk-play");
  const isVisible = watchVisibility(byId("walk"), () => frames.request());

  const between = (share) => ends[0].map((from, i) => from + share * (ends[1][i] - from));

  const tasks = [];
  function shownIn(canvas, codeOf) {
    tasks.push(
      frames.add({
        isVisible,
        draw: () => draw(canvas, model.decode(codeOf(), state.condition), model),
      }),
    );
  }

  ["first", "second"].forEach((name, end) => {
    const slot = byId(`walk-${name}`);
    const canvas = pictureCanvas(model, `The ${name} end of the walk`);
    slot.prepend(canvas);
    shownIn(canvas, () => ends[end]);
    slot.querySelector("button").addEventListener("click", () => {
      ends[end].set(state.code);
      frames.refresh(tasks);
    });
    if (pad) {
      takeDrops(slot, async (file) => {
        ends[end].set(model.encode(await pad.read(file), state.condition).loc);
        frames.refresh(tasks);
      });
    }
  });

  const strip = byId("walk-strip");
  for (let i = 0; i < TILES; i++) {
    const share = i / (TILES - 1);
    const canvas = pictureCanvas(model, null);
    shownIn(canvas, () => between(share));
    const label = `Go ${Math.round(100 * share)}% of the way`;
    strip.append(
      element("button", { type: "button", "aria-label": label, click: () => go(share) }, canvas),
    );
  }

  function go(share) {
    position.value = share;
    state.jump(between(share));
  }

  position.addEventListener("input", () => {
    stop();
    go(Number(position.value));
  });

  let start = null;
  function stop() {
    start = null;
    play.textContent = "Play";
    play.setAttribute("aria-pressed", "false");
  }
  play.addEventListener("click", () => {
    if (start !== null) return stop();
    start = performance.now();
    play.textContent = "Pause";
    play.setAttribute("aria-pressed", "true");
    requestAnimationFrame(step);
  });
  function step() {
    if (start === null) return;
    go(0.5 - 0.5 * Math.cos((2 * Math.PI * (performance.now() - start)) / PERIOD));
    requestAnimationFrame(step);
  }

  let condition = state.condition;
  state.listen(() => {
    if (state.condition !== condition) frames.refresh(tasks);
    condition = state.condition;
  });
  // Who takes hold of anything else means to stay there.
  document.addEventListener("pointerdown", (event) => {
    if (start !== null && !byId("walk").contains(event.target)) stop();
  });
}
