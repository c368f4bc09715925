// The model's card, in a dialog.

import { byId, element } from "./elements.js";

/** Fills the card. */
export function createCard(data) {
  const dialog = byId("card");
  byId("card-title").textContent = data.title;
  byId("card-description").textContent = data.description;
  for (const { title, rows } of data.card) {
    const list = element("dl");
    for (const [label, text] of rows) {
      list.append(element("dt", {}, label), element("dd", {}, text));
    }
    byId("card-sections").append(element("section", {}, element("h3", {}, title), list));
  }
  byId("open-card").addEventListener("click", () => dialog.showModal());
  byId("close-card").addEventListener("click", () => dialog.close());
  dialog.addEventListener("click", (event) => {
    // The dialog itself is hit only outside of what it shows.
    if (event.target === dialog) dialog.close();
  });
}
