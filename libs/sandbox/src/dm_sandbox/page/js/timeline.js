// One row an event. Only the rows in sight are elements, so that 10,000 cost as little as 50.
import { byId, clock, h, pretty, whenReleased } from "./dom.js";
import { get, notify } from "./api.js";
import { on, state } from "./state.js";

const HEIGHT = 24, BEYOND = 8;
let shown = [], drawn = "", frame = 0, asked = 0, stale = false, following = true; // following: the newest row is to stay in sight

function wanted() {
  const words = byId("search").value.trim().toLowerCase(), source = byId("source").value;
  const person = byId("only-person").checked ? state.person : "", trouble = byId("only-trouble").checked;
  return (row) => (!words || `${row.source} ${row.words} ${row.kind}`.toLowerCase().includes(words)) && (!source || row.source === source)
    && (!person || row.person === person) && (!trouble || row.level === "warning" || row.level === "error");
}

function filter() {
  shown = state.entries.filter(wanted());
  draw(true);
}

function add(rows) {
  const options = byId("source");
  shown.push(...rows.filter(wanted()));
  if (shown.length > state.entries.length) shown = state.entries.filter(wanted());
  const known = new Set([...options.options].map((option) => option.value));
  for (const source of new Set(rows.map((row) => row.source))) if (!known.has(source)) options.append(h("option", { value: source }, source));
  draw();
}

function scrolled() {
  const rows = byId("rows");
  if (rows.clientHeight) following = rows.scrollHeight - rows.scrollTop - rows.clientHeight < 2 * HEIGHT;
  later();
}

function draw(anew = false) {
  stale ||= anew;
  whenReleased(byId("window"), place);
}

function place() {
  const rows = byId("rows"), list = byId("window");
  list.style.height = `${shown.length * HEIGHT}px`;
  byId("count").textContent = shown.length === state.entries.length ? `${shown.length} events` : `${shown.length} of ${state.entries.length} events`;
  if (following) rows.scrollTop = rows.scrollHeight;
  const first = Math.max(0, Math.floor(rows.scrollTop / HEIGHT) - BEYOND), last = Math.min(shown.length, Math.ceil((rows.scrollTop + rows.clientHeight) / HEIGHT) + BEYOND);
  const key = `${first}-${last}-${shown[first]?.number}-${shown[last - 1]?.number}`;
  if (key === drawn && !stale) return;
  [drawn, stale] = [key, false];
  const kept = new Map([...list.children].map((item) => [item.dataset.number, item]));
  const items = shown.slice(first, last).map((row, offset) => {
    const item = kept.get(String(row.number)) ?? element(row);
    item.style.top = `${(first + offset) * HEIGHT}px`;
    item.setAttribute("aria-posinset", String(first + offset + 1));
    item.setAttribute("aria-setsize", String(shown.length));
    return item;
  });
  const staying = new Set(items);
  for (const item of [...list.children]) if (!staying.has(item)) item.remove();
  items.forEach((item, position) => { if (list.children[position] !== item) list.insertBefore(item, list.children[position] ?? null); });
}

function element(row) {
  return h("li", { "data-number": String(row.number) }, h("button", { type: "button", onclick: () => whole(row) },
    h("time", {}, clock(row.at)), h("b", {}, row.source), h("span", { class: row.level, title: row.words }, row.words)));
}

async function whole(row) {
  asked = row.number;
  try {
    const record = await get(`/api/event/${row.number}`);
    if (asked !== row.number) return;
    byId("record-title").textContent = row.words;
    byId("record-text").textContent = pretty(record);
    byId("record").showModal();
  } catch (error) {
    notify(error.message, "error");
  }
}

const later = () => { if (!frame) frame = requestAnimationFrame(() => { frame = 0; draw(); }); };

export function start() {
  byId("rows").addEventListener("scroll", scrolled);
  new ResizeObserver(later).observe(byId("rows"));
  byId("filters").addEventListener("submit", (event) => event.preventDefault());
  for (const id of ["search", "source", "only-person", "only-trouble"]) byId(id).addEventListener("input", filter);
  on("entries", add);
  on("reset", filter);
  on("person", filter);
}
