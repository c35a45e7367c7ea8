/* What the tests ask of a page.
 *
 * `courseProbe.maths()` and its neighbours each return a list of complaints,
 * empty when all is well; a test may therefore be planted with a fault.
 */
"use strict";

window.courseProbe = (() => {
  const ARTICLE = "article";
  const FIGURES = ".text_html svg, .course-figure svg, .course-frame svg";

  const all = (selector, root = document) => [
    ...root.querySelectorAll(selector),
  ];
  const article = () => document.querySelector(ARTICLE) ?? document.body;
  const short = (text) => text.trim().replace(/\s+/g, " ").slice(0, 70);

  function name(element) {
    const id = element.id ? `#${element.id}` : "";
    const kind = element.classList.length ? `.${element.classList[0]}` : "";
    const text = short(element.textContent);
    return `<${element.localName}${id}${kind}> "${text}"`;
  }

  // --- the text ------------------------------------------------------------

  function head() {
    const found = [];
    if (!document.title.trim()) found.push("the page has no title");
    if (!document.documentElement.lang) found.push("<html> has no lang");
    if (all("h1", article()).length !== 1) {
      found.push("the article does not have exactly one <h1>");
    }
    return found;
  }

  function maths() {
    const found = [];
    for (const element of all(".math")) {
      const rendered = all("mjx-container", element).length;
      if (rendered !== 1) {
        found.push(`${rendered} formulas rendered in ${name(element)}`);
      }
    }
    const wrong = "mjx-merror, mjx-container [style*='color: red']";
    for (const element of all(wrong)) {
      const formula = element.closest("mjx-container").parentElement;
      found.push(`TeX not understood in ${name(formula)}`);
    }
    return found;
  }

  const RAW = [
    [/\$\$|\\\(|\\\[|\$[^$\s][^$]*\$/, "raw TeX"],
    [/\{[a-z][a-z:-]*\}`/, "a role that was not rendered"],
    [/^\s*(:::|```)/, "a directive that was not rendered"],
  ];

  function raw() {
    const found = [];
    const skipped = "code, pre, script, style, mjx-container, .math";
    const walker = document.createTreeWalker(article(), NodeFilter.SHOW_TEXT);
    while (walker.nextNode()) {
      const node = walker.currentNode;
      if (node.parentElement.closest(skipped)) continue;
      for (const [pattern, what] of RAW) {
        if (pattern.test(node.data)) {
          found.push(`${what}: "${short(node.data)}"`);
        }
      }
    }
    return found;
  }

  function problematic() {
    const wrong = ".problematic, .system-message, .pending_xref";
    return all(wrong).map((e) => `Sphinx could not make ${name(e)}`);
  }

  function ids() {
    const seen = new Set();
    const found = [];
    for (const element of all("[id]")) {
      if (seen.has(element.id)) found.push(`two of #${element.id}`);
      seen.add(element.id);
    }
    return found;
  }

  // --- the layout ----------------------------------------------------------

  function scrolls(element) {
    for (let e = element; e && e !== document.body; e = e.parentElement) {
      if (getComputedStyle(e).overflowX !== "visible") return true;
    }
    return false;
  }

  function sideways() {
    const { scrollWidth } = document.scrollingElement;
    if (scrollWidth <= innerWidth) return [];
    const past = (e) => e.getBoundingClientRect().right > innerWidth + 1;
    const culprits = all("*", article()).filter((e) => past(e) && !scrolls(e));
    const names = culprits.slice(0, 4).map(name).join(", ");
    return [`${scrollWidth} px wide in a window of ${innerWidth}: ${names}`];
  }

  function code() {
    return all("pre", article())
      .filter((pre) => pre.scrollWidth > pre.clientWidth + 1)
      .map((pre) => {
        const extra = pre.scrollWidth - pre.clientWidth;
        return `${extra} px too wide: ${name(pre)}`;
      });
  }

  // --- the figures ---------------------------------------------------------

  /* Call `look` on every figure, those of hidden frames included. */
  function figures(look) {
    const hidden = all(".course-frame[hidden]");
    hidden.forEach((frame) => { frame.hidden = false; });
    const found = all(FIGURES).flatMap((svg, k) =>
      look(svg).map((text) => {
        const label = short(svg.getAttribute("aria-label") ?? "");
        return `figure ${k + 1} ("${label}"): ${text}`;
      }),
    );
    hidden.forEach((frame) => { frame.hidden = true; });
    return found;
  }

  const texts = (svg) => all("text", svg).filter((t) => short(t.textContent));

  /* Where the letters are: the box of a line is taller than its letters. */
  function letters(text) {
    const { left, right, top, bottom } = text.getBoundingClientRect();
    const upright = bottom - top > 2 * (right - left);
    const slack = 0.15 * (upright ? right - left : bottom - top);
    const [x, y] = upright ? [slack, 0.5] : [0.5, slack];
    return {
      left: left + x, right: right - x, top: top + y, bottom: bottom - y,
    };
  }

  function described() {
    return figures((svg) => {
      const found = [];
      const box = svg.getBoundingClientRect();
      if (svg.getAttribute("role") !== "img") found.push("no role=img");
      if (!svg.getAttribute("aria-label")?.trim()) {
        found.push("no aria-label");
      }
      if (box.width < 20 || box.height < 20) found.push("it has no size");
      return found;
    });
  }

  function cut() {
    return figures((svg) => {
      const frame = svg.getBoundingClientRect();
      return texts(svg)
        .filter((text) => {
          const box = letters(text);
          return box.left < frame.left - 1 || box.right > frame.right + 1
            || box.top < frame.top - 1 || box.bottom > frame.bottom + 1;
        })
        .map((text) => `"${short(text.textContent)}" is cut off`);
    });
  }

  function overlaps() {
    return figures((svg) => {
      const found = [];
      const boxes = texts(svg).map((text) => [text, letters(text)]);
      boxes.forEach(([a, p], k) => {
        for (const [b, q] of boxes.slice(k + 1)) {
          const apart = p.right <= q.left || q.right <= p.left
            || p.bottom <= q.top || q.bottom <= p.top;
          if (!apart) {
            found.push(
              `"${short(a.textContent)}" and "${short(b.textContent)}" overlap`,
            );
          }
        }
      });
      return found;
    });
  }

  function small(least) {
    return figures((svg) => {
      const width = svg.getBoundingClientRect().width;
      const scale = width / svg.viewBox.baseVal.width;
      return texts(svg).flatMap((text) => {
        // of a formula the largest letters count, not its subscripts
        const parts = [text, ...all("tspan", text)];
        const sizes = parts.map((e) => parseFloat(getComputedStyle(e).fontSize));
        const size = scale * Math.max(...sizes);
        if (size >= least) return [];
        return `"${short(text.textContent)}" is ${size.toFixed(1)} px high`;
      });
    });
  }

  // --- the colours ---------------------------------------------------------

  function parse(colour) {
    const numbers = colour.match(/^rgba?\((.+)\)$/)?.[1].split(/[ ,/]+/);
    if (!numbers) return null;
    const [r, g, b, a = 1] = numbers.map(Number);
    return { r, g, b, a };
  }

  function over(front, back) {
    const mix = (k) => front.a * front[k] + (1 - front.a) * back[k];
    return { r: mix("r"), g: mix("g"), b: mix("b"), a: 1 };
  }

  function luminance({ r, g, b }) {
    const [x, y, z] = [r, g, b].map((v) => {
      const c = v / 255;
      return c <= 0.04045 ? c / 12.92 : ((c + 0.055) / 1.055) ** 2.4;
    });
    return 0.2126 * x + 0.7152 * y + 0.0722 * z;
  }

  function contrast(a, b) {
    const [low, high] = [luminance(a), luminance(b)].sort((x, y) => x - y);
    return (high + 0.05) / (low + 0.05);
  }

  /* The colour that the page has behind an element. */
  function paper(element) {
    const layers = [];
    for (let e = element; e; e = e.parentElement) {
      layers.push(parse(getComputedStyle(e).backgroundColor));
    }
    const white = { r: 255, g: 255, b: 255, a: 1 };
    return layers.reverse().reduce((back, front) => over(front, back), white);
  }

  function middle(text) {
    const { x, y, width, height } = text.getBBox();
    return new DOMPoint(x + width / 2, y + height / 2)
      .matrixTransform(text.getScreenCTM());
  }

  /* The pixels of the pictures inside figures (heat maps). */
  const pixels = new Map();

  async function decode() {
    for (const image of all(`:is(${FIGURES}) image`)) {
      const picture = new Image();
      picture.src = image.href.baseVal;
      await picture.decode();
      const { naturalWidth: width, naturalHeight: height } = picture;
      const canvas = new OffscreenCanvas(width, height);
      const context = canvas.getContext("2d");
      context.drawImage(picture, 0, 0);
      pixels.set(image, context.getImageData(0, 0, width, height));
    }
  }

  function pixel(image, { x, y }) {
    const value = (length) => length.baseVal.value;
    const across = (x - value(image.x)) / value(image.width);
    const down = (y - value(image.y)) / value(image.height);
    const { width, height, data } = pixels.get(image);
    const [column, row] = [across * width, down * height].map(Math.floor);
    if (Math.min(column, row) < 0 || column >= width || row >= height) {
      return null;
    }
    const [r, g, b, a] = data.slice(4 * (row * width + column));
    return { r, g, b, a: a / 255 };
  }

  /* What a shape paints at a point of the window, if anything. */
  function paint(shape, point) {
    const local = point.matrixTransform(shape.getScreenCTM().inverse());
    const style = getComputedStyle(shape);
    if (shape.localName === "image") return pixel(shape, local);
    const fill = parse(style.fill);
    if (!fill || !shape.isPointInFill(local)) return null;
    fill.a *= style.fillOpacity * style.opacity;
    return fill;
  }

  /* The colour behind a text: the page, and what is painted between. */
  function behind(text, svg) {
    const point = middle(text);
    let colour = paper(svg);
    for (const shape of all("path, rect, circle, polygon, image", svg)) {
      const later = text.compareDocumentPosition(shape)
        & Node.DOCUMENT_POSITION_FOLLOWING;
      if (later) break;
      if (shape.closest("defs")) continue;
      const layer = paint(shape, point);
      if (layer) colour = over(layer, colour);
    }
    return colour;
  }

  async function faint(least) {
    await decode();
    return figures((svg) =>
      texts(svg).flatMap((text) => {
        const ink = parse(getComputedStyle(text).fill);
        const ratio = ink ? contrast(ink, behind(text, svg)) : 0;
        if (ratio >= least) return [];
        const written = short(text.textContent);
        return `"${written}" has a contrast of ${ratio.toFixed(1)}`;
      }),
    );
  }

  /* The colours of each figure, to be compared between the themes. */
  function inks() {
    return figures((svg) =>
      texts(svg).slice(0, 1).map((text) => getComputedStyle(text).fill),
    );
  }

  // --- what moves ----------------------------------------------------------

  function unfold() {
    all("details").forEach((details) => { details.open = true; });
    all(".toggle-hidden").forEach((e) => e.classList.remove("toggle-hidden"));
  }

  /* Take away what is a thousand elements and one to a screen reader: axe
     looks at every one.  Letters in figures are looked at above. */
  function thin() {
    all(FIGURES).forEach((svg) => svg.replaceChildren());
    all(".course-frame[hidden]").forEach((frame) => frame.remove());
    all("mjx-container").slice(5).forEach((maths) => maths.replaceChildren());
    const seen = new Set();
    for (const token of all("pre span, .sig span")) {
      if (seen.has(token.className)) token.replaceWith(...token.childNodes);
      seen.add(token.className);
    }
    article().normalize();
  }

  /* Take away what looks like four before it: the same elements, classes and
     styles around it, and nothing new inside.  What is left has every colour
     of the page. */
  function prune() {
    const seen = new Map();
    const alike = (element, around) => {
      const style = element.getAttribute("style") ?? "";
      const kind = `${element.localName}.${element.className}.${style}`;
      const path = `${around}/${kind}`;
      const before = seen.get(path) ?? 0;
      seen.set(path, before + 1);
      const inside = [...element.children].map((e) => alike(e, path));
      const repeats = before >= 4 && inside.every(Boolean);
      if (repeats) element.remove();
      return repeats;
    };
    alike(document.body, "");
  }

  function explorable(k) {
    const root = all(".course-explore")[k];
    const frames = all(".course-frame", root);
    const shown = frames.filter((frame) => frame.getClientRects().length);
    const sliders = all("input[type=range]", root);
    return {
      total: frames.length,
      shown: shown.map((frame) => frames.indexOf(frame)),
      picture: shown[0]?.innerHTML ?? "",
      places: sliders.map((slider) => Number(slider.value)),
      last: sliders.map((slider) => Number(slider.max)),
      values: sliders.map((slider) => slider.dataset.values.split("|")),
      spoken: sliders.map((slider) => slider.getAttribute("aria-valuetext")),
      written: all("output", root).map((output) => output.textContent),
    };
  }

  return {
    head, maths, raw, problematic, ids, sideways, code, described, cut,
    overlaps, small, faint, inks, unfold, thin, prune, explorable,
  };
})();
