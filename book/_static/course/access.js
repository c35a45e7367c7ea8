/* Small repairs of the pages' structure, for keyboards and screen readers.
 *
 * Each can go when the theme or docutils does better by itself: the tests of
 * the pages say so with axe.
 */
"use strict";

/* The name of the book above the contents stands outside every landmark. */
function nameSidebar() {
  const sidebar = document.getElementById("pst-primary-sidebar");
  const brand = sidebar?.querySelector(".navbar-brand");
  if (!brand) return;
  sidebar.setAttribute("role", "region");
  sidebar.setAttribute("aria-label", brand.textContent.trim());
}

/* Entries of a bibliography have a role that no list may hold. */
function nameCitations() {
  document.querySelectorAll(".citation-list > .citation").forEach((entry) => {
    entry.setAttribute("role", "listitem");
  });
}

/* Every exercise gives its content the same id, and nothing refers to it. */
function dropRepeatedIds() {
  const repeated = "#exercise-content, #solution-content";
  document.querySelectorAll(repeated).forEach((section) => {
    section.removeAttribute("id");
  });
}

/* What scrolls must be reachable by keyboard, also in what opens later: the
   theme looks only when the page is loaded or the window changes. */
function reachScrolling() {
  const observer = new ResizeObserver((changes) => {
    changes.forEach(({ target }) => {
      if (target.scrollWidth > target.clientWidth) target.tabIndex = 0;
    });
  });
  const boxes = "pre, .cell_output > .output, .table-wrapper, "
    + ".pst-scrollable-table-container, div.math";
  document.querySelectorAll(`article :is(${boxes})`).forEach((box) => {
    observer.observe(box);
  });
}

document.addEventListener("DOMContentLoaded", () => {
  nameSidebar();
  nameCitations();
  dropRepeatedIds();
  reachScrolling();
});
