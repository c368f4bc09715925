// The view in the page's address: #z=0.1,-1.2&y=7&map=3,5

import { announce, byId } from "./elements.js";

const DELAY = 250; // Milliseconds after the last change.

/** What an address says: the parts of it that make sense for a model. */
export function parsed(hash, model) {
  const parts = new URLSearchParams(hash.replace(/^#/, ""));
  const numbers = (name) =>
    (parts.get(name) ?? "").split(",").map((text) => Number.parseFloat(text));
  const view = {};
  const code = numbers("z");
  if (code.length === model.latentDim && code.every(Number.isFinite)) view.code = code;
  const [condition] = numbers("y");
  if (Number.isInteger(condition) && condition >= 0 && condition < model.classes) {
    view.condition = condition;
  }
  const axes = numbers("map");
  const isLatent = (axis) => Number.isInteger(axis) && axis >= 0 && axis < model.latentDim;
  if (axes.length === 2 && axes.every(isLatent) && (axes[0] !== axes[1] || model.latentDim === 1)) {
    view.axes = axes;
  }
  return view;
}

/** The address of a view. */
export function written({ code, condition, axes }) {
  const numbers = Array.from(code, (value) => Number(value.toFixed(3)) || 0);
  const chosen = condition === null ? "" : `&y=${condition}`;
  return `#z=${numbers.join(",")}${chosen}&map=${axes.join(",")}`;
}

/** Keeps the address and the view alike. */
export function createLink(model, state) {
  const button = byId("copy-link");
  if (window.location.protocol === "about:") {
    // Within a notebook the page has no address of its own.
    button.hidden = true;
    return;
  }
  let own = window.location.hash;
  let timer = null;

  function write() {
    own = written(state);
    try {
      window.history.replaceState(null, "", own);
    } catch {
      // Browsers refuse where changes follow each other too fast; the next one is soon enough.
    }
  }

  state.listen(() => {
    clearTimeout(timer);
    timer = setTimeout(write, DELAY);
  });
  window.addEventListener("hashchange", () => {
    if (window.location.hash === own) return;
    const view = parsed(window.location.hash, model);
    if ("condition" in view) state.setCondition(view.condition);
    if (view.axes) state.setAxes(view.axes);
    if (view.code) state.jump(view.code);
  });
  button.addEventListener("click", async () => {
    write();
    const address = window.location.href;
    try {
      await navigator.clipboard.writeText(address);
      announce("Copied the link to this view.");
      button.textContent = "Copied";
    } catch {
      // Without a clipboard the address bar has it.
      button.textContent = "In the address bar";
    }
    setTimeout(() => {
      button.textContent = "Copy link";
    }, 1500);
  });
}
