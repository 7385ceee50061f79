// What this tab looks at, and what came from the server. Parts of the page listen for what concerns them.
const listeners = new Map();

export const state = {
  person: sessionStorage.getItem("person") ?? "",
  studio: { model: "scripted", tour: { steps: [] }, on: [], clockOffsetMs: 0 },
  entries: [],
  people: [],
  phone: null,
  run: "",
};

export function on(event, listener) {
  listeners.set(event, [...(listeners.get(event) ?? []), listener]);
}

export function tell(event, value) {
  for (const listener of listeners.get(event) ?? []) listener(value);
}

export function choosePerson(userId) {
  if (state.person === userId) return;
  state.person = userId;
  state.run = "";
  sessionStorage.setItem("person", userId);
  tell("person", userId);
}

export function chooseRun(run) {
  state.run = run;
  tell("run", run);
}

// The sandbox's time now: its clock may have been put ahead.
export const now = () => Date.now() + state.studio.clockOffsetMs;

// One call at a time, and so many ms between two; what is asked for meanwhile is one more call afterwards.
export function freshly(load, ms = 30) {
  let busy = false, again = false, timer = 0;
  const run = async () => {
    timer = 0;
    if (busy) { again = true; return; }
    busy = true;
    try { await load(); } catch { /* the connection's own line says so */ }
    busy = false;
    if (again) { again = false; soon(); }
  };
  const soon = () => { if (!timer) timer = setTimeout(run, ms); };
  return soon;
}
