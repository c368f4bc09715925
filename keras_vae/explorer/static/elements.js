// Elements of the page. Whatever a model's card or its user says is set as text, never as HTML.

/** The element of that id. */
export const byId = (id) => document.getElementById(id);

/** A new element, with attributes and children; a function among the attributes is a listener. */
export function element(tag, attributes = {}, ...children) {
  const made = document.createElement(tag);
  for (const [name, value] of Object.entries(attributes)) {
    if (typeof value === "function") made.addEventListener(name, value);
    else if (value === true) made.setAttribute(name, "");
    else if (value !== false && value !== null) made.setAttribute(name, value);
  }
  made.append(...children);
  return made;
}

/** A number as it is shown: a minus sign as wide as a plus. */
export function shown(value, digits = 2) {
  const text = value.toFixed(digits);
  return Number(text) === 0 ? (0).toFixed(digits) : text.replace("-", "\u2212");
}

/** Tells readers of screens what happened. */
export function announce(text) {
  byId("announcement").textContent = text;
}

/** Whether the page is dark: by its own button, or else by the system. */
export function isDark() {
  const chosen = document.documentElement.dataset.theme;
  return chosen ? chosen === "dark" : window.matchMedia("(prefers-color-scheme: dark)").matches;
}

/** A colour of the page's style, as the theme has it now. */
export function colour(name) {
  return getComputedStyle(document.documentElement).getPropertyValue(`--${name}`).trim();
}
