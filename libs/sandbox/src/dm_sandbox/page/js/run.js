// One run: the prompt as sent, each turn, what it did, what it cost, and when.
import { h, pretty, renew, seconds, whenReleased } from "./dom.js";
import { get, post } from "./api.js";
import { freshly, state } from "./state.js";

let place = null, shown = "", print = "", asking = "";

const wanted = () => state.run || newest();

const refresh = freshly(async () => {
  const panel = place, run = wanted();
  if (!run) { [shown, print] = ["", ""]; panel.replaceChildren(h("p", { class: "empty" }, "Choose a message to see the run that made it: the exact prompt, each turn of the model, what it looked up and did, tokens, cost and times.")); return; }
  const view = await get(`/api/run/${encodeURIComponent(run)}`);
  whenReleased(panel, () => { if (panel === place && run === wanted()) show(panel, run, view); }); // else another was chosen meanwhile
});

// What was opened of the same run, and the answer it got when it was asked again, stay.
function show(panel, run, view) {
  const now = JSON.stringify(view);
  if (now === print && panel.childElementCount) return;
  const same = run === shown, open = same ? [...panel.querySelectorAll("details[open]")].map((each) => each.dataset.key) : [];
  const answer = same && panel.querySelector("#again");
  [shown, print] = [run, now];
  renew(panel, ...(view.run ? body(view) : [h("p", { class: "empty" }, "Nothing is kept of this run.")]));
  for (const each of panel.querySelectorAll("details")) each.open = open.includes(each.dataset.key);
  if (answer) panel.querySelector("#again")?.replaceWith(answer);
}

const newest = () => state.entries.findLast((entry) => entry.run && entry.person === state.person)?.run ?? "";

function body(view) {
  const { figures } = view;
  const spans = view.spans, total = spans.length ? Math.max(...spans.map((s) => s.to)) - Math.min(...spans.map((s) => s.from)) : 0;
  const usd = figures.usd === null ? "not known" : figures.usd === undefined ? "–" : `$${Number(figures.usd).toFixed(5)}`;
  return [
    h("header", { class: "toolbar" }, h("h3", {}, `Run ${view.run.slice(0, 8)}`), h("span", { class: `tag ${view.ended ? "good" : "warning"}` }, view.ended ? figures.ending ?? "ended" : "under way"),
      h("button", { type: "button", id: "ask-again", disabled: asking === view.run, onclick: () => again(view) }, "Ask again"),
      h("button", { type: "button", onclick: (event) => scenario(view, event.target) }, "Save as scenario")),
    h("dl", { class: "figures" }, figure("in all", seconds(total)), figure("model", seconds(figures.modelMs ?? 0)), figure("model calls", view.calls.length),
      figure("tokens in", figures.inputTokens ?? "–"), figure("tokens out", figures.outputTokens ?? "–"), figure("cost", usd)),
    view.why?.why && h("p", { class: "dim" }, `As make admin tells it: ${view.why.why}`),
    h("div", { id: "again" }),
    h("h3", {}, "Where the time went"), waterfall(spans),
    (figures.guards ?? []).length > 0 && h("p", {}, "Guards: ", figures.guards.map((guard) => h("span", { class: "tag warning" }, guard))),
    figures.alerts > 0 && h("p", {}, h("span", { class: "tag warning" }, `${figures.alerts} alert to the manager`)),
    h("h3", {}, "What the model saw and said"), view.calls.map((call, index) => turn(view, call, index)),
    (view.why?.run?.askedAlerts ?? []).map((text) => h("div", { class: "card" }, h("b", {}, "Told to the manager"), h("p", {}, text))),
    h("h3", {}, "What it did"), h("div", { class: "card" }, view.effects.length ? view.effects.map((effect) => h("p", { class: effect.level }, effect.words)) : "nothing outside"),
  ].filter(Boolean).flat();
}

const figure = (name, value) => h("div", {}, h("dt", {}, name), h("dd", {}, String(value)));

function waterfall(spans) {
  if (!spans.length) return h("p", { class: "dim" }, "no times are known");
  const from = Math.min(...spans.map((s) => s.from)), whole = Math.max(1, Math.max(...spans.map((s) => s.to)) - from);
  return h("div", { class: "waterfall" }, spans.flatMap((span) => {
    const bar = h("span", { class: `bar ${span.kind}` });
    bar.style.left = `${Math.min(99.3, (100 * (span.from - from)) / whole)}%`;
    bar.style.width = `${(100 * (span.to - span.from)) / whole}%`;
    return [h("span", {}, span.name), h("span", { class: "track" }, bar), h("span", { class: "ms" }, span.to > span.from ? seconds(span.to - span.from) : `+${seconds(span.from - from)}`)];
  }));
}

function turn(view, call, index) {
  const prompt = view.prompts[call.prompt], before = index ? view.calls[index - 1].turns.length : 0;
  return h("article", { class: "card" },
    h("header", {}, h("b", {}, `Turn ${index + 1}`), h("span", { class: "dim" }, `${seconds(call.ms)}${tokens(call.answer)}`)),
    index === 0 && prompt && details("system", `System prompt (${prompt.system.length} characters) and ${prompt.tools.length} tools`, `${prompt.system}\n\n${prompt.tools.map((tool) => `${tool.name}: ${tool.description}\n${pretty(tool.parameters)}`).join("\n\n")}`),
    call.turns.slice(before).filter((each) => each.type !== "model").map((each, number) => each.type === "user"
      ? details(`user-${index}-${number}`, "Shown to the model", each.text)
      : h("div", { class: "call turn tool" }, each.results.map((result) => [h("b", {}, `${result.name} →`), h("pre", { tabindex: "0" }, result.error ?? readable(result.output))]))),
    call.error && h("p", { class: "tag error" }, call.error),
    call.answer?.text && h("pre", { tabindex: "0" }, call.answer.text),
    (call.answer?.calls ?? []).map((each) => h("div", { class: "call" }, h("b", {}, each.name), h("pre", { tabindex: "0" }, readable(each.arguments)))));
}

const tokens = (answer) => (answer?.usage?.inputTokens ? ` · ${answer.usage.inputTokens} tokens in, ${answer.usage.outputTokens ?? 0} out` : "");
const details = (key, words, text) => h("details", { "data-key": key }, h("summary", {}, words), h("pre", { tabindex: "0" }, text));

function readable(text) {
  try { return pretty(JSON.parse(text)); } catch { return pretty(text ?? ""); }
}

async function again(view) {
  const target = document.getElementById("again");
  asking = view.run;
  document.getElementById("ask-again").disabled = true;
  target.replaceChildren(h("p", { class: "dim" }, "asking…"));
  try {
    const { old, new: anew } = await post(`/api/run/${encodeURIComponent(view.run)}/again`);
    const column = (title, answers) => h("div", { class: "card" }, h("b", {}, title), answers.map((answer) => [answer.text && h("pre", {}, answer.text), answer.calls.map((call) => h("div", { class: "call" }, h("b", {}, call.name), h("pre", {}, readable(call.arguments))))]));
    target.replaceChildren(h("div", { class: "columns" }, column("Then", old), column("Now, not sent", anew)));
  } catch (error) {
    target.replaceChildren(h("p", { class: "tag error" }, error.message));
  }
  asking = "";
  const button = document.getElementById("ask-again");
  if (button) button.disabled = false;
}

async function scenario(view, button) {
  const target = document.getElementById("again");
  button.disabled = true;
  try {
    const { name, text } = await post(`/api/scenario/${encodeURIComponent(view.person || state.person)}`);
    target.replaceChildren(h("div", { class: "card" }, h("p", {}, `Written to ${name}, to be reviewed:`), h("pre", { tabindex: "0" }, text)));
  } catch { /* shown */ }
  button.disabled = false;
}

export function open(panel) { place = panel; print = ""; refresh(); }

export function changed(what, value) {
  if (what === "run" || what === "person" || what === "connected") { print = ""; refresh(); }
  if (what === "entries" && value.some((row) => row.run && (row.run === shown || (!state.run && row.person === state.person)))) refresh();
}
