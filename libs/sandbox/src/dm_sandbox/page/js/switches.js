// Break it: switches, what should happen, and what did, by the promises.
import { h, reconcile, whenReleased } from "./dom.js";
import { attempt, get } from "./api.js";
import { freshly } from "./state.js";

const WORDS = { idle: ["not met yet: write a DM", ""], open: ["still open", "open"], kept: ["promises kept", "kept"], broken: ["a promise is broken", "broken"] };
let place = null, flipped = "";

const refresh = freshly(async () => {
  const switches = await get("/api/switches");
  const groups = Map.groupBy(switches.toSorted((a, b) => ("on" in b) - ("on" in a)), (each) => ("on" in each ? "Tried now" : each.group));
  const list = place.querySelector(".groups");
  if (list) whenReleased(list, () => show(list, groups));
}, 150);

function show(list, groups) {
  reconcile(list, [...groups.keys()], (group) => group, (group) => h("section", {}, h("h3", {}, group), h("div", { class: "switches" })));
  for (const section of list.children) reconcile(section.lastElementChild, groups.get(section.dataset.key), (each) => each.name, (each) => card(each, section.dataset.key));
  const tried = flipped && list.querySelector(`[data-key="Tried now"] [data-switch="${flipped}"] button`); // it has moved to the top, with its verdict
  if (!tried) return;
  if (document.activeElement === document.body) tried.focus({ preventScroll: true });
  place.parentElement?.scrollTo(0, 0);
  flipped = "";
}

function card(each, group) {
  const [words, level] = WORDS[each.verdict] ?? [];
  const flip = () => { flipped = each.name; attempt(`/api/switches/${each.name}`, { on: each.once || !each.on }); };
  return h("div", { class: `switch${each.on ? " on" : ""}`, "data-switch": each.name, "data-met": each.met ? "true" : undefined },
    h("header", {}, h("b", {}, group === each.group ? each.title : `${each.group}: ${each.title}`), h("button", { type: "button", "aria-pressed": each.once ? undefined : String(Boolean(each.on)), "aria-label": `${each.group}: ${each.title}`, onclick: flip },
      each.once ? "Do it" : each.on ? "Stop" : "Break")),
    h("p", {}, each.expects),
    words && h("span", { class: `tag ${level}`, "data-verdict": each.verdict }, words),
    each.promises && h("ul", {}, each.promises.map((promise) => h("li", {}, h("span", { class: `tag ${promise.state}` }, `${promise.promise} ${promise.state}`), ` ${promise.title}: ${promise.words}`))));
}

export function open(panel) {
  place = panel;
  panel.replaceChildren(h("div", { class: "toolbar" }, h("p", { class: "dim" }, "Break something, then write a DM. Several can be broken at once."),
    h("button", { type: "button", onclick: () => attempt("/api/switches/clear") }, "Clear all")), h("div", { class: "groups" }));
  refresh();
}

export function changed(what) { if (what === "entries" || what === "studio") refresh(); }
