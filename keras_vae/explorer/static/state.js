// Where in the latent space the page stands, and who wants to know.

const GLIDE = 400; // Milliseconds.

const calm = window.matchMedia("(prefers-reduced-motion: reduce)");

/** The point that everything on the page shows. */
export function createState(code, condition, axes) {
  const listeners = [];
  let glide = null;
  let isChanged = true;
  let wake = () => {};

  const state = {
    /** The code, a Float32Array of the latents in their own order. */
    code,
    /** The class of a conditional model, or null for none in particular. */
    condition,
    /** The two latents of the map. */
    axes,
    /** What the code is of, mean and standard deviation, while that is an encoded picture's. */
    posterior: null,

    /** Calls a function at the frames after a change. */
    listen(listener) {
      listeners.push(listener);
    },

    /** Says whom to call for a frame. */
    wakes(request) {
      wake = request;
    },

    /** Tells of a change. */
    changed() {
      isChanged = true;
      wake();
    },

    /** Moves single latents, `[latent, value]` each. */
    move(...pairs) {
      glide = null;
      for (const [latent, value] of pairs) state.code[latent] = value;
      state.changed();
    },

    /** Goes to a code at once. */
    jump(target, posterior = null) {
      glide = null;
      state.code.set(target);
      state.posterior = posterior;
      state.changed();
    },

    /** Goes to a code on a line, within some frames. */
    glideTo(target, posterior = null) {
      if (calm.matches) return state.jump(target, posterior);
      state.posterior = posterior;
      glide = { from: state.code.slice(), to: Float32Array.from(target), start: performance.now() };
      state.changed();
    },

    setCondition(chosen) {
      state.condition = chosen;
      state.changed();
    },

    setAxes(chosen) {
      state.axes = chosen;
      state.changed();
    },

    /** One frame; returns whether there is to be another. */
    frame() {
      if (glide) {
        const passed = Math.min((performance.now() - glide.start) / GLIDE, 1);
        const share = 1 - (1 - passed) ** 3;
        const { from, to } = glide;
        // At the end exactly there, whatever the rounding.
        state.code.set(passed === 1 ? to : to.map((end, i) => from[i] + share * (end - from[i])));
        if (passed === 1) glide = null;
        isChanged = true;
      }
      if (isChanged) {
        isChanged = false;
        for (const listener of listeners) listener();
      }
      return glide !== null;
    },
  };
  return state;
}
