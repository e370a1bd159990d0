// Returns what is cut, outside the window or overlapping in a page. Parts hold text or take input.
() => {
  const faults = [];
  if (document.documentElement.scrollWidth > window.innerWidth)
    faults.push(`scrolls sideways: ${document.documentElement.scrollWidth} of ${window.innerWidth}`);
  const isHidden = (element) => element.closest("[class*=simplebar], .material-symbols-outlined, .tocsin-hidden, #submit-row, .tocsin-save, .visually-hidden, .toasts, .skip-link, .sprite, [hidden]") !== null
    || !element.checkVisibility({ visibilityProperty: true });
  const said = (element) => `${element.tagName}#${element.id} "${element.textContent.trim().slice(0, 40)}"`;
  const overlap = (a, b) => Math.min(a.right, b.right) - Math.max(a.left, b.left) > 1
    && Math.min(a.bottom, b.bottom) - Math.max(a.top, b.top) > 1;
  const all = [...document.body.querySelectorAll("*")].filter((element) => !isHidden(element));
  for (const element of all) {
    const style = getComputedStyle(element);
    const clips = [style.overflowX, style.overflowY].some((way) => way === "hidden" || way === "clip");
    if (clips && (element.scrollWidth > element.clientWidth + 1 || element.scrollHeight > element.clientHeight + 1))
      faults.push(`cut: ${said(element)}`);
    const { left, right } = element.getBoundingClientRect();
    if (left < -1 || right > window.innerWidth + 1) faults.push(`outside: ${said(element)}`);
  }
  const parts = all.filter((element) => element.matches("button, a[href], input:not([type=hidden]), select")
    || [...element.childNodes].some((node) => node.nodeType === Node.TEXT_NODE && node.data.trim()));
  const boxes = parts.map((element) => [element, [...element.getClientRects()]]); // a line each, in a paragraph
  boxes.forEach(([one, own], index) => {
    for (const [other, others] of boxes.slice(index + 1)) {
      if (one.contains(other) || other.contains(one)) continue;
      if (own.some((a) => others.some((b) => overlap(a, b)))) faults.push(`overlap: ${said(one)} and ${said(other)}`);
    }
  });
  return faults;
}
