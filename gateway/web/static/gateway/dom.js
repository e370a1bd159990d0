// Builds elements. Text is always set through textContent: text from the server is never parsed as HTML.

const SVG = "http://www.w3.org/2000/svg";

/** Return an element; `props` are its attributes, without those that are null, false or undefined. */
export function h(tag, props = {}, ...children) {
  const element = document.createElement(tag);
  for (const [name, value] of Object.entries(props)) {
    if (value === true) element.setAttribute(name, "");
    else if (value !== null && value !== undefined && value !== false) element.setAttribute(name, value);
  }
  element.append(...children.filter((child) => child !== null && child !== ""));
  return element;
}

/** Return an icon from the sprite in the page. It is decorative: the label belongs to its parent. */
export function icon(name) {
  const svg = document.createElementNS(SVG, "svg");
  svg.setAttribute("class", "icon");
  svg.setAttribute("aria-hidden", "true");
  const use = document.createElementNS(SVG, "use");
  use.setAttribute("href", `#icon-${name}`);
  svg.append(use);
  return svg;
}

/** Set the text only if it differs, so that screen readers do not repeat live regions. */
export function setText(element, text) {
  if (element.textContent !== text) element.textContent = text;
}

export function priorityBadge(priority, text = priority) {
  return h("span", { class: "badge", "data-priority": priority }, text);
}

/**
 * Make the children of `list` match `rows`, reusing every element whose row is unchanged (by its JSON).
 * This keeps scroll position, focus and selection across polls.
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

/** Replace `old` by `fresh`, keeping the keyboard focus. Return the new cursor. */
function replace(old, fresh, cursor) {
  const focused = [...old.querySelectorAll("button, a")].indexOf(document.activeElement);
  old.replaceWith(fresh);
  if (focused >= 0) fresh.querySelectorAll("button, a")[focused]?.focus({ preventScroll: true });
  return cursor === old ? fresh : cursor;
}
