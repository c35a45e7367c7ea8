/* Sliders over pictures drawn beforehand.  No library, no server.
 *
 * The pictures of several sliders stand in row-major order: the last slider
 * changes fastest, as in itertools.product.  Without this script the first
 * picture is shown and the sliders stay hidden.
 */
"use strict";

function setUpExplorable(root) {
  const frames = [...root.querySelectorAll(".course-frame")];
  const sliders = [...root.querySelectorAll('input[type="range"]')];

  function place() {
    return sliders.reduce(
      (sum, slider) => sum * (Number(slider.max) + 1) + Number(slider.value),
      0,
    );
  }

  function update(slider) {
    const written = slider.dataset.values.split("|")[Number(slider.value)];
    slider.setAttribute("aria-valuetext", written);
    slider.parentElement.querySelector("output").textContent = written;
    const shown = place();
    frames.forEach((frame, k) => {
      frame.hidden = k !== shown;
    });
  }

  sliders.forEach((slider) => {
    // a browser may restore the slider of an earlier visit
    update(slider);
    slider.addEventListener("input", () => update(slider));
  });
  root.querySelector(".course-controls").hidden = false;
}

document.addEventListener("DOMContentLoaded", () => {
  document.querySelectorAll(".course-explore").forEach(setUpExplorable);
});
