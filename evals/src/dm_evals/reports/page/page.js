// Filters and keys of the report. It only hides and shows what is there: it never makes HTML of data.
(() => {
  "use strict";
  const form = document.getElementById("filters");
  const cards = [...document.querySelectorAll("details.card")];
  const text = form.elements.namedItem("text");
  const tag = form.elements.namedItem("tag");

  const chosen = () => [...form.querySelectorAll("input[name=outcome]:checked")].map((box) => box.value);

  // A trial that is not reviewed is only counted under "not reviewed"; its own result still finds it when asked with it.
  const fits = (card, outcomes, wanted, words) => {
    const own = card.dataset.outcome.split(" ");
    const key = own.includes("unreviewed") ? "unreviewed" : own[0];
    if (outcomes.length && !outcomes.includes(key)) return false;
    if (wanted && !card.dataset.tags.split("\n").includes(wanted)) return false;
    return words.every((word) => card.dataset.search.includes(word));
  };

  const filter = () => {
    const outcomes = chosen();
    const words = text.value.toLowerCase().split(/\s+/).filter(Boolean);
    let shown = 0;
    for (const card of cards) {
      card.hidden = !fits(card, outcomes, tag.value, words);
      shown += card.hidden ? 0 : 1;
    }
    const all = cards.length;
    document.getElementById("shown").textContent =
      shown === all ? `${all} ${all === 1 ? "trial" : "trials"}` : `${shown} of ${all} trials`;
    document.getElementById("nothing").hidden = shown > 0 || all === 0;
  };

  const openTarget = () => {
    const card = document.getElementById(decodeURIComponent(location.hash.slice(1)));
    if (card && card.matches("details.card")) {
      card.hidden = false;
      card.open = true;
      card.scrollIntoView();
    }
  };

  form.addEventListener("submit", (event) => event.preventDefault());
  form.addEventListener("input", filter);
  form.addEventListener("reset", () => setTimeout(filter));
  document.getElementById("open").addEventListener("click", () => {
    for (const card of cards) if (!card.hidden) card.open = true;
  });
  document.getElementById("close").addEventListener("click", () => {
    for (const card of cards) card.open = false;
  });
  document.addEventListener("keydown", (event) => {
    const writes = event.target.matches("input, select, textarea");
    if (event.key === "/" && !writes && !event.ctrlKey && !event.metaKey && !event.altKey) {
      event.preventDefault();
      text.focus();
    } else if (event.key === "Escape" && event.target === text) {
      text.value = "";
      filter();
    }
  });
  window.addEventListener("hashchange", openTarget);
  document.body.classList.add("scripted");
  filter();
  openTarget();
})();
