// What is due when: the tasks of both queues and the alerts, with countdowns.
import { clock, h, seconds } from "./dom.js";
import { get } from "./api.js";
import { freshly, now } from "./state.js";

let place = null, print = "";

const refresh = freshly(async () => {
  const { tasks, alerts } = await get("/api/waiting"), read = JSON.stringify([tasks, alerts]);
  if (read === print && place.childElementCount) return;
  print = read;
  place.replaceChildren(h("h3", {}, "Tasks"), table(["queue", "path", "due", "tries"], tasks.map((task) => [task.queue, task.path, due(task.dueAt), task.attempts]), "Both queues are empty."),
    h("h3", {}, "Alerts that somebody must look at again"), table(["urgency", "state", "due", "text"], alerts.map((alert) => [alert.urgency, alert.state, due(alert.dueAt), alert.text]), "None."));
  count();
});

const due = (at) => (at ? h("span", { "data-due": String(at) }) : "–");

function table(heads, rows, empty) {
  if (!rows.length) return h("p", { class: "dim" }, empty);
  return h("table", {}, h("thead", {}, h("tr", {}, heads.map((head) => h("th", { scope: "col" }, head)))),
    h("tbody", {}, rows.map((row) => h("tr", {}, row.map((cell) => h("td", {}, typeof cell === "number" ? String(cell) : cell))))));
}

function count() {
  for (const each of document.querySelectorAll("[data-due]")) {
    const left = Number(each.dataset.due) - now();
    each.textContent = left > 0 ? `in ${seconds(left)} (${clock(Number(each.dataset.due))})` : "now";
  }
}

export function open(panel) { place = panel; refresh(); }
export function changed(what) { if (what === "entries" || what === "studio") refresh(); }
setInterval(count, 250);
