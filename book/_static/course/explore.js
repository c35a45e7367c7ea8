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

  const valuesOf = (slider) => slider.dataset.values.split("|");
  const outputOf = (slider) => slider.parentElement.querySelector("output");

  /* A longer value must not push the slider away under the reader's finger. */
  function reserveRoom(slider) {
    const output = outputOf(slider);
    output.style.whiteSpace = "nowrap";
    const widths = valuesOf(slider).map((written) => {
      output.textContent = written;
      return output.getBoundingClientRect().width;
    });
    output.style.width = `min(${Math.ceil(Math.max(...widths))}px, 100%)`;
    output.style.whiteSpace = "";
  }

  function update(slider) {
    const written = valuesOf(slider)[Number(slider.value)];
    slider.setAttribute("aria-valuetext", written);
    outputOf(slider).textContent = written;
    const shown = place();
    frames.forEach((frame, k) => {
      frame.hidden = k !== shown;
    });
  }

  root.querySelector(".course-controls").hidden = false;
  sliders.forEach((slider) => {
    reserveRoom(slider);
    // a browser may restore the slider of an earlier visit
    update(slider);
    slider.addEventListener("input", () => update(slider));
  });
}

document.addEventListener("DOMContentLoaded", () => {
  document.querySelectorAll(".course-explore").forEach(setUpExplorable);
});
