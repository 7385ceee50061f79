// The event stream. A restarted sandbox has another boot: what this tab knew is forgotten, and read anew.
import { byId } from "./dom.js";
import { notify } from "./api.js";
import { state, tell } from "./state.js";

const MOST = 20_000;
const NOTICED = { profile_seen: "good", profile_broken: "error", code_changed: "warning", code_broken: "error", restarted: "good", revived: "warning", clock_jumped: "warning", not_kept: "error" };
const HIDDEN_MS = 3000; // how long a tab that nobody sees keeps its stream
let boot = "", live = false, stream = null, leaving = 0;
export const latencies = [];

// A browser opens six connections to one host, and a stream holds one: a tab that nobody sees gives its up, and catches up later.
export function start() {
  document.addEventListener("visibilitychange", () => {
    clearTimeout(leaving);
    if (document.visibilityState === "visible") { if (!stream) connect(); } else leaving = setTimeout(() => { stream?.close(); stream = null; }, HIDDEN_MS);
  });
  connect();
}

function connect() {
  const own = stream = new EventSource(`/api/stream?last=${boot}-${state.entries.at(-1)?.number ?? 0}`);
  stream.addEventListener("hello", (message) => {
    const hello = JSON.parse(message.data);
    byId("connection").textContent = "";
    if (hello.boot !== boot) {
      if (boot) notify("The sandbox was restarted: caught up", "good");
      boot = hello.boot;
      state.entries = [];
      tell("reset");
    }
    live = false;
    tell("connected");
  });
  stream.addEventListener("live", () => { live = true; });
  stream.addEventListener("studio", (message) => { state.studio = JSON.parse(message.data); tell("studio"); });
  stream.addEventListener("entries", (message) => take(JSON.parse(message.data)));
  stream.addEventListener("error", () => {
    byId("connection").textContent = "The sandbox does not answer; trying again…";
    if (own === stream && own.readyState === EventSource.CLOSED) setTimeout(() => { if (own === stream) connect(); }, 1000); // it was answered, but not with a stream
  });
}

function take(rows) {
  const last = state.entries.at(-1)?.number ?? 0;
  const fresh = rows.filter((row) => row.number > last);
  state.entries.push(...fresh);
  if (state.entries.length > MOST) state.entries.splice(0, state.entries.length - MOST);
  tell("entries", fresh);
  if (!live) return;
  for (const row of fresh) {
    if (row.kind in NOTICED) notify(row.words, NOTICED[row.kind], row.level === "error" ? 60_000 : 8000);
    if (row.loggedAt) measure(row.loggedAt);
  }
}

// From the log line to the frame that shows it, in ms.
function measure(loggedAt) {
  requestAnimationFrame(() => {
    latencies.push(Date.now() - loggedAt);
    if (latencies.length > 2000) latencies.shift();
  });
}
