// Who answers as the model. When it is you: what the model sees, and a form made from the schema of the chosen tool.
import { h } from "./dom.js";
import { attempt } from "./api.js";
import { state } from "./state.js";

let place = null, shown = 0, sitter = "";

function show() {
  const { model, question } = state.studio;
  if (question?.number === shown && model === sitter && place.childElementCount) return;
  shown = question?.number ?? 0;
  sitter = model;
  place.replaceChildren(choices(model), ...(question ? form(question) : [h("p", { class: "empty" }, model === "you"
    ? "You are the model. Write a DM: what the model would see appears here, and you answer."
    : model === "gemini" || model === "local" ? "A real model answers. Its prompts and answers are under Why." : "A script answers, from the profile. With GEMINI_API_KEY set, make dev asks the real Gemini.")]));
}

function choices(model) {
  if (model === "gemini" || model === "local") return h("p", {}, h("span", { class: "tag good" }, model === "local" ? "a small model on this machine" : "the real Gemini"));
  const choice = (value, words) => h("label", {}, h("input", { type: "radio", name: "sitter", value, checked: model === value, onchange: () => attempt("/api/seat", { sitter: value }) }), ` ${words}`);
  return h("fieldset", { class: "choices" }, h("legend", { class: "visually-hidden" }, "Who answers as the model"), choice("scripted", "the script"), choice("you", "you"));
}

function form(question) {
  const fields = h("div", { class: "form" }), tool = h("select", { id: "tool" }, h("option", { value: "" }, "plain text"), question.tools.map((each) => h("option", { value: each.name }, each.name)));
  const draw = () => fields.replaceChildren(...inputs(question.tools.find((each) => each.name === tool.value)));
  tool.addEventListener("change", draw);
  tool.value = "send_instagram_message";
  draw();
  const send = (event) => { event.preventDefault(); attempt("/api/seat/answer", answer(question, tool.value, fields)); };
  return [h("h3", {}, "What the model sees"), h("div", { class: "card" }, question.said.map((part) => h("details", { open: part.role !== "user" || part === question.said.at(-1) }, h("summary", {}, part.role), h("pre", { tabindex: "0" }, part.text)))),
    h("h3", {}, `Your answer, within ${Math.round(question.patience)} s`),
    h("form", { class: "form", id: "answer", onsubmit: send }, h("label", {}, "Call", tool), fields, h("button", { class: "strong" }, "Answer"))];
}

function inputs(tool) {
  if (!tool) return [h("label", {}, "Text", h("textarea", { name: "text" }))];
  return [h("p", { class: "dim" }, tool.description), ...Object.entries(tool.parameters.properties ?? {}).map(([name, schema]) => {
    const required = (tool.parameters.required ?? []).includes(name), attributes = { name, required, "data-type": schema.type };
    const field = schema.enum ? h("select", attributes, !required && h("option", { value: "" }, "–"), schema.enum.map((value) => h("option", { value }, value)))
      : schema.type === "boolean" ? h("select", attributes, h("option", { value: "" }, "–"), h("option", { value: "true" }, "yes"), h("option", { value: "false" }, "no"))
      : schema.type === "integer" || schema.type === "number" ? h("input", { ...attributes, type: "number" }) : h("textarea", attributes);
    return h("label", {}, `${name}${schema.description ? `: ${schema.description}` : ""}`, field);
  })];
}

function answer(question, tool, fields) {
  const values = [...fields.querySelectorAll("[name]")].filter((field) => field.value !== "").map((field) => {
    const { type } = field.dataset, value = field.value;
    return [field.name, type === "boolean" ? value === "true" : type === "integer" || type === "number" ? Number(value) : value];
  });
  const given = Object.fromEntries(values);
  return { number: question.number, tool, text: tool ? "" : given.text ?? "", arguments: tool ? given : {} };
}

export function open(panel) { place = panel; shown = -1; show(); }
export function changed(what) { if (what === "studio") show(); }
