// What is drawn when: on every frame first what must be there, then as many small pictures as fit.

const BUDGET = 6; // Milliseconds of small pictures a frame.

/**
 * The frames of the page.
 *
 * `urgent` is called on a frame after `request()`; it returns whether it wants the next one, too.
 * Small pictures are tasks, `{ draw(), isVisible() }`: what is stale is drawn in turn, so that all
 * of them follow a drag, each as often as there is time.
 */
export function createFrames(urgent) {
  const tasks = [];
  const stale = new Set();
  let next = 0;
  let isRequested = false;

  function request() {
    if (isRequested) return;
    isRequested = true;
    requestAnimationFrame(frame);
  }

  function drawSome() {
    const end = performance.now() + BUDGET;
    for (let looked = 0; looked < tasks.length && performance.now() < end; looked++) {
      const task = tasks[next % tasks.length];
      next = (next + 1) % tasks.length;
      if (!stale.has(task) || !task.isVisible()) continue;
      stale.delete(task);
      task.draw();
    }
    return tasks.some((task) => stale.has(task) && task.isVisible());
  }

  function frame() {
    isRequested = false;
    const again = urgent();
    if (drawSome() || again) request();
  }

  return {
    request,
    /** Adds a task, which is stale. */
    add(task) {
      tasks.push(task);
      stale.add(task);
      request();
      return task;
    },
    /** Takes tasks out again. */
    remove(gone) {
      for (const task of gone) {
        stale.delete(task);
        tasks.splice(tasks.indexOf(task), 1);
      }
    },
    /** Has tasks drawn anew. */
    refresh(changed) {
      for (const task of changed) stale.add(task);
      request();
    },
  };
}

/** A function that tells whether an element is in sight, or nearly; `appeared` is told so. */
export function watchVisibility(target, appeared) {
  let isVisible = false;
  const observer = new IntersectionObserver(
    ([entry]) => {
      isVisible = entry.isIntersecting;
      if (isVisible) appeared();
    },
    { rootMargin: "100px" },
  );
  observer.observe(target);
  return () => isVisible;
}
