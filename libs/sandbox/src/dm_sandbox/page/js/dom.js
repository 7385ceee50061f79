// Elements made of values. Everything shown goes in as text, never as markup.

export const byId = (id) => document.getElementById(id);

export function h(tag, properties = {}, ...children) {
  const made = document.createElement(tag);
  for (const [name, value] of Object.entries(properties)) {
    if (value === undefined || value === null || value === false) continue;
    if (name.startsWith("on")) made.addEventListener(name.slice(2), value);
    else if (name === "class") made.className = value;
    else if (name in made && typeof value !== "string") made[name] = value;
    else made.setAttribute(name, value);
  }
  made.append(...children.flat(Infinity).filter((child) => child !== null && child !== undefined && child !== false));
  return made;
}

// A button that is replaced between its press and its release is not pressed: what would replace it waits for the release.
let pressed = null;
const held = new Map();

export function whenReleased(place, change) {
  held.delete(place);
  if (place.contains(pressed)) held.set(place, change);
  else change();
}

function release() {
  const own = pressed;
  setTimeout(() => { // after the click
    if (pressed === own) pressed = null;
    for (const [place, change] of [...held]) whenReleased(place, change);
  });
}

for (const type of ["pointerdown", "keydown"]) addEventListener(type, (event) => { if ((event.key ?? " ") === " ") pressed = event.target; }, true);
for (const type of ["pointerup", "pointercancel", "keyup"]) addEventListener(type, release, true);
addEventListener("blur", release);

const controls = (place) => [...place.querySelectorAll("button, summary, input, select, textarea, [tabindex]")];

// Other content for a place; the focus stays on what is in the same position.
export function renew(place, ...children) {
  const position = controls(place).indexOf(document.activeElement);
  place.replaceChildren(...children);
  if (position >= 0) controls(place)[position]?.focus({ preventScroll: true });
}

// Brings a list's elements up to date: what did not change keeps its element, and so its focus.
export function reconcile(list, items, keyOf, make) {
  const known = new Map([...list.children].map((child) => [child.dataset.key, child]));
  const wanted = items.map((item) => {
    const key = String(keyOf(item)), print = JSON.stringify(item), old = known.get(key);
    if (old && old.dataset.print === print) return old;
    const made = make(item);
    made.dataset.key = key;
    made.dataset.print = print;
    return made;
  });
  const focused = document.activeElement, holder = list.contains(focused) ? focused.closest("[data-key]") : null;
  const position = holder ? controls(holder).indexOf(focused) : 0;
  wanted.forEach((element, position) => {
    if (list.children[position] !== element) list.insertBefore(element, list.children[position] ?? null);
  });
  while (list.children.length > wanted.length) list.lastElementChild.remove();
  if (holder && !list.contains(document.activeElement)) {
    const anew = [...list.children].find((child) => child.dataset.key === holder.dataset.key), found = anew ? controls(anew) : [];
    (found[position] ?? found[0])?.focus({ preventScroll: true });
  }
}

// A conversation is one Tab stop, however long: the bubble that had the focus last, else the newest. Arrow keys, Home and End
// go from one to the other (a roving tabindex). To be called after each change of the list.
export function oneTabStop(list) {
  const bubbles = [...list.querySelectorAll(".bubble")], keyOf = (bubble) => bubble.closest("[data-key]").dataset.key;
  const stop = bubbles.find((bubble) => keyOf(bubble) === list.dataset.stop) ?? bubbles.at(-1);
  for (const bubble of bubbles) bubble.tabIndex = bubble === stop ? 0 : -1;
}

export function moveByArrows(list) {
  list.addEventListener("focusin", ({ target }) => {
    const row = target.closest("[data-key]");
    if (row) list.dataset.stop = row.dataset.key;
    oneTabStop(list);
  });
  list.addEventListener("keydown", (event) => {
    const bubbles = [...list.querySelectorAll(".bubble")], at = bubbles.indexOf(event.target);
    const to = { ArrowUp: at - 1, ArrowDown: at + 1, Home: 0, End: bubbles.length - 1 }[event.key];
    if (at < 0 || to === undefined || event.altKey || event.ctrlKey || event.metaKey) return;
    event.preventDefault();
    bubbles[to]?.focus();
  });
}

// A list that shows its end goes on doing so when its place becomes smaller.
export function keepEnd(element) {
  let atEnd = true;
  element.addEventListener("scroll", () => { if (element.clientHeight) atEnd = element.scrollHeight - element.scrollTop - element.clientHeight < 80; });
  new ResizeObserver(() => { if (atEnd) element.scrollTop = element.scrollHeight; }).observe(element);
}

export function stickToEnd(element, change) {
  const atEnd = element.scrollHeight - element.scrollTop - element.clientHeight < 80;
  change();
  if (atEnd) element.scrollTop = element.scrollHeight;
}

export const clock = (at) => new Date(at).toLocaleTimeString([], { hour12: false });
export const pretty = (value) => (typeof value === "string" ? value : JSON.stringify(value, null, 2));

export function seconds(ms) {
  if (ms < 1000) return `${Math.round(ms)} ms`;
  if (ms < 90_000) return `${(ms / 1000).toFixed(1)} s`;
  return ms < 5_400_000 ? `${Math.round(ms / 60_000)} min` : `${(ms / 3_600_000).toFixed(1)} h`;
}
