const byId = (id) => document.getElementById(id);
const chat = byId("chat"), events = byId("events"), line = byId("line"), connection = byId("connection");
let lines = 0, entries = 0, polling = false;

const clock = (at) => new Date(at).toLocaleTimeString([], { hour12: false });

function element(tag, text, className = "") {
  const made = document.createElement(tag);
  made.textContent = text;
  made.className = className;
  return made;
}

function append(list, item) {
  const atEnd = list.scrollHeight - list.scrollTop - list.clientHeight < 60;
  list.append(item);
  if (atEnd) list.scrollTop = list.scrollHeight;
}

function showLine({ at, who, name, words }) {
  const item = element("li", "", who);
  item.append(element("small", name ? `${name}, ${clock(at)}` : clock(at)), words);
  append(chat, item);
}

function showEntry({ at, source, words, level }) {
  const item = element("li", "", level);
  item.append(element("time", clock(at)), element("b", source), words);
  append(events, item);
}

async function poll() {
  if (polling) return;
  polling = true;
  try {
    const state = await (await fetch(`/state?lines=${lines}&entries=${entries}`)).json();
    byId("person").textContent = state.person;
    state.lines.forEach(showLine);
    state.entries.forEach(showEntry);
    lines += state.lines.length;
    entries += state.entries.length;
    connection.textContent = "";
  } catch {
    connection.textContent = "The sandbox does not answer. Is it still running?";
  } finally {
    polling = false;
  }
}

byId("form").addEventListener("submit", async (event) => {
  event.preventDefault();
  const typed = line.value;
  if (!typed.trim()) return;
  line.value = "";
  const sent = fetch("/type", {
    method: "POST",
    headers: { "content-type": "application/json" },
    body: JSON.stringify({ line: typed }),
  });
  await poll();
  try {
    await sent;
  } catch {
    line.value = typed;
  }
  await poll();
});

poll();
setInterval(poll, 500);
