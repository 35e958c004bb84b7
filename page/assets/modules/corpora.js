// The switch between the pages of several corpora. It keeps the question; filters and indexes are those of one corpus.
import { address } from "./state.js";

const KEPT = ["q", "mode", "tab"];

export function corpora(element) {
  if (!element) return;
  element.querySelector("#corpus").addEventListener("change", ({ target }) => {
    const params = new URLSearchParams();
    for (const [name, value] of address()) if (KEPT.includes(name)) params.set(name, value);
    location.assign(params.size ? `${target.value}?${params}` : target.value);
  });
  // A page that comes back from the browser's memory shows the corpus that it has, not the one chosen last.
  window.addEventListener("pageshow", () => {
    for (const option of element.querySelectorAll("option")) option.selected = option.defaultSelected;
  });
}
