// The search form: query, mode, weights and filters, what was searched before, and completions.
import { chip, onButton } from "./dom.js";
import { addOption, showFacets } from "./facets.js";
import { fetchJson } from "./http.js";

const TIMES = ["seen", "liked", "saved", "watched", "shared"];
const FILTERS = ["creator", "tag", "lang", "after", "before", "has", "length", "likes", "source"];
const NAMES = ["mode", ...FILTERS, "in", ...TIMES, "sort", "exact", "generation"];
const DEFAULTS = { mode: "hybrid", sort: "relevance" };
const OLD_NAMES = { mode: "lane" }; // in links that were shared before
const RECENT = "asked-before", MAX_RECENT = 6, TYPING_MS = 350;

export function searchForm(element, instance) {
  const form = element.querySelector("#ask"), box = form.querySelector("#q");
  const sliders = [...form.querySelectorAll("[data-weight]")];
  let typing = 0; // the timer of a search that begins when typing pauses

  const search = (options) => {
    clearTimeout(typing);
    instance.search(settings(), options);
  };

  // -- settings <-> form --

  const weights = () =>
    sliders.filter((slider) => slider.value !== "1").map((slider) => `${slider.dataset.weight}:${+slider.value}`).join();

  function settings() {
    const params = new URLSearchParams();
    if (box.value.trim()) params.set("q", box.value.trim());
    if (weights()) params.set("w", weights());
    for (const name of NAMES) {
      const field = form.elements.namedItem(name); // elements.length is their number
      const value = field.type === "checkbox" ? (field.checked ? field.value : "") : field.value.trim();
      if (value && value !== DEFAULTS[name]) params.set(name, value);
    }
    return params;
  }

  function setWeights(text) {
    const wanted = Object.fromEntries(text.split(",").map((part) => part.split(/[:=]/).map((piece) => piece.trim())));
    for (const slider of sliders) {
      slider.value = wanted[slider.dataset.weight] ?? wanted[slider.dataset.alias] ?? 1;
      slider.nextElementSibling.value = +slider.value;
    }
    const preset = [...form.elements.preset].find((one) => one.value === weights());
    for (const one of form.elements.preset) one.checked = one === preset;
  }

  function restore(params) {
    box.value = params.get("q") ?? "";
    setWeights(params.get("w") ?? "");
    for (const name of NAMES) {
      const field = form.elements.namedItem(name); // elements.length is their number
      const value = params.get(name) ?? params.get(OLD_NAMES[name]) ?? DEFAULTS[name] ?? "";
      if (field.type === "checkbox") field.checked = value === field.value;
      else {
        if (field.tagName === "SELECT") addOption(field, value);
        field.value = value;
      }
    }
    openFolds(params);
  }

  // What an address asks for is not hidden in a closed fold.
  function openFolds(params) {
    if (FILTERS.some((name) => params.has(name))) form.querySelector("#filters").open = true;
    const met = form.querySelector("#met");
    if (["in", ...TIMES].some((name) => params.has(name))) [met.hidden, met.open] = [false, true];
  }

  // -- generations --

  async function listGenerations() {
    const list = form.elements.generation;
    try {
      const { generations } = await fetchJson("api/generations");
      const current = generations.find((one) => one.current), chosen = list.value;
      const label = ({ encoder, videos, built }) =>
        `${encoder.split("/").pop()}, ${videos} videos, ${built.slice(0, 16).replace("T", " ")}`;
      list.replaceChildren(
        new Option(current ? `Current: ${label(current)}` : "Current", ""),
        ...generations.filter((one) => !one.current).map((one) => new Option(label(one), one.name)),
      );
      addOption(list, chosen);
      list.value = chosen;
    } catch {
      if (!list.options.length) list.add(new Option("Current", ""));
    }
  }

  function listFacets() {
    showFacets(form, form.elements.generation.value).catch(() => {}); // a search works without
  }

  // -- recent queries and completions --

  function recent() {
    try {
      return JSON.parse(localStorage.getItem(RECENT) ?? "[]").filter((one) => typeof one === "string");
    } catch {
      return []; // no storage, or a list of another program
    }
  }

  function addRecent(query) {
    try {
      const queries = [query, ...recent().filter((one) => one !== query)].slice(0, MAX_RECENT);
      localStorage.setItem(RECENT, JSON.stringify(queries));
    } catch {} // private windows have no storage
    showRecent();
  }

  function showRecent() {
    const list = form.querySelector("#recent"), chips = recent().map((query) => chip(query, "ask"));
    list.replaceChildren(...chips, ...(chips.length ? [chip("Delete these", "forget")] : []));
    list.hidden = !chips.length;
  }

  async function complete() {
    if (!/[@#]\S*$|\bin:("[^"]*|\S*)$/i.test(box.value)) return;
    const typed = box.value;
    try {
      const { suggestions } = await fetchJson(`api/suggest?${new URLSearchParams({ q: typed })}`);
      if (box.value !== typed) return; // an answer to an earlier text can arrive last
      form.querySelector("#completions").replaceChildren(...suggestions.map((one) => new Option("", one.query)));
    } catch {} // a search works without
  }

  // -- events --

  onButton(form, "ask", (button) => {
    box.value = button.textContent;
    search();
  });
  onButton(form, "forget", () => {
    localStorage.removeItem(RECENT);
    showRecent();
    box.focus();
  });
  form.querySelector("#reset").addEventListener("click", () => {
    restore(new URLSearchParams({ q: box.value }));
    search();
  });
  form.addEventListener("submit", (event) => {
    event.preventDefault();
    listGenerations();
    listFacets();
    search();
  });
  form.addEventListener("change", ({ target }) => {
    if (target === box) return;
    if (target.name === "preset") setWeights(target.value);
    else if (target.dataset.weight) setWeights(weights());
    search({ replace: Boolean(target.dataset.weight) }); // a slider moves in many small steps
  });
  form.addEventListener("input", ({ target }) => {
    if (target.dataset.weight) target.nextElementSibling.value = +target.value;
    if (target === box) typed();
  });
  function typed() {
    complete();
    clearTimeout(typing);
    if (box.value.trim().length > 2 || !box.value) typing = setTimeout(search, TYPING_MS, { typing: true });
  }

  instance.on("adjust", ({ changes }) => {
    const params = settings();
    for (const [name, value] of changes) value ? params.set(name, value) : params.delete(name);
    restore(params);
    search();
  });
  instance.on("answered", ({ settings, typing }) => {
    if (!typing && settings.get("q")) addRecent(settings.get("q"));
  });
  instance.on("opening", () => clearTimeout(typing));

  const wide = matchMedia("(min-width: 1000px)"), panel = form.querySelector("#panel");
  const unfold = () => (panel.open = wide.matches);
  wide.addEventListener("change", unfold);
  unfold();
  showRecent();
  listGenerations();
  listFacets();
  return { box, search, settings, restore, typed, hasCompletions: () => form.querySelector("#completions").children.length > 0 };
}
