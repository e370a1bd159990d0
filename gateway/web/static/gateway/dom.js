// Building elements. Text always goes through textContent: what the server sends is never parsed as HTML.

const SVG = "http://www.w3.org/2000/svg";

/** Return an element; `props` are attributes, and a null, false or undefined one is left out. */
export function h(tag, props = {}, ...children) {
  const element = document.createElement(tag);
  for (const [name, value] of Object.entries(props)) {
    if (value === true) element.setAttribute(name, "");
    else if (value !== null && value !== undefined && value !== false) element.setAttribute(name, value);
  }
  element.append(...children.filter((child) => child !== null && child !== ""));
  return element;
}

/** Return an icon from the sprite in the page. It is decoration: the label belongs to its parent. */
export function icon(name) {
  const svg = document.createElementNS(SVG, "svg");
  svg.setAttribute("class", "icon");
  svg.setAttribute("aria-hidden", "true");
  const use = document.createElementNS(SVG, "use");
  use.setAttribute("href", `#icon-${name}`);
  svg.append(use);
  return svg;
}

/** Write text only when it differs, so that live regions do not repeat themselves. */
export function setText(element, text) {
  if (element.textContent !== text) element.textContent = text;
}

export function priorityBadge(priority) {
  return h("span", { class: "badge", "data-priority": priority }, priority);
}

/**
 * Make the children of `list` match `rows`, reusing every element whose row is unchanged (by its JSON).
 * So a reader's scroll position, focus and selection survive each poll.
 */
export function reconcile(list, rows, { key, render }) {
  const wanted = new Set(rows.map((row) => String(key(row))));
  const known = new Map([...list.children].map((element) => [element.dataset.key, element]));
  for (const [name, element] of known) if (!wanted.has(name)) element.remove();
  let cursor = list.firstElementChild;
  for (const row of rows) {
    const json = JSON.stringify(row);
    let element = known.get(String(key(row))) ?? null;
    if (element?.rowJson !== json) {
      const fresh = render(row, element);
      fresh.dataset.key = key(row);
      fresh.rowJson = json;
      if (element) cursor = replace(element, fresh, cursor);
      element = fresh;
    }
    if (element === cursor) cursor = cursor.nextElementSibling;
    else list.insertBefore(element, cursor);
  }
}

/** Put `fresh` in the place of `old`, keeping the keyboard where it was. Return the new cursor. */
function replace(old, fresh, cursor) {
  const focused = [...old.querySelectorAll("button")].indexOf(document.activeElement);
  old.replaceWith(fresh);
  if (focused >= 0) fresh.querySelectorAll("button")[focused]?.focus({ preventScroll: true });
  return cursor === old ? fresh : cursor;
}
