// The search form: query, mode, weights and filters. Its settings are outside of it, above the results.
import { onButton } from "./dom.js";
import { addOption, facets } from "./facets.js";
import { fetchJson } from "./http.js";
import { suggestions } from "./suggestions.js";

const TIMES = ["seen", "liked", "saved", "watched", "shared"];
const FILTERS = ["creator", "tag", "lang", "posted", "after", "before", "has", "length", "likes", "source"];
const NAMES = ["mode", ...FILTERS, "in", ...TIMES, "sort", "exact", "generation", "nearer", "picture", "read"];
const DEFAULTS = { mode: "hybrid", sort: "relevance" };
const MENUS = { // the settings in each menu
  remember: ["w"], creators: ["creator"], dates: ["posted", "after", "before", ...TIMES],
  filters: ["tag", "likes", "has", "exact", "source", "mode", "generation"],
};
const LANGUAGES = new Intl.DisplayNames("en", { type: "language", fallback: "code" });
const OLD_NAMES = { mode: "lane" }; // in links that were shared before
const TYPING_MS = 350;

export function searchForm(element, instance) {
  const form = element.querySelector("#ask"), box = form.querySelector("#q");
  const sliders = [...element.querySelectorAll("[data-weight]")];
  const values = facets(element, form);
  let generations = []; // the newest first
  let asked = null; // the question whose settings these are
  let typing = 0; // the timer of a search that begins when typing pauses

  const search = (options) => {
    clearTimeout(typing);
    if (asked !== null && box.value.trim() !== asked) form.elements.nearer.value = ""; // choices refine one question
    asked = box.value.trim();
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
    asked = box.value.trim();
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
    showChosen();
  }

  // A menu says that something is chosen in it.
  function showChosen() {
    const params = settings();
    for (const [id, names] of Object.entries(MENUS)) {
      const menu = element.querySelector(`#${id}`), chosen = names.filter((name) => params.has(name));
      const preset = [...form.elements.preset].find((one) => one.checked);
      const said = { w: preset?.parentElement.textContent ?? "own weights", creator: params.get("creator") }[chosen[0]];
      menu.toggleAttribute("data-chosen", chosen.length > 0);
      const summary = menu.querySelector("summary"), name = (summary.dataset.name ??= summary.textContent);
      summary.textContent = said ? `${name}: ${said}` : name;
    }
    params.delete("q");
    element.querySelector("#reset").hidden = !params.size;
    showEncoders();
  }

  // -- generations --

  async function listGenerations() {
    const list = form.elements.generation;
    try {
      ({ generations } = await fetchJson("api/generations"));
      const current = generations.find((one) => one.current), chosen = list.value;
      const label = ({ encoders, videos, built }) =>
        `${encoders.map(short).join(" + ") || "keywords"}, ${videos} videos, ${built.slice(0, 16).replace("T", " ")}`;
      list.replaceChildren(
        new Option(current ? `Current: ${label(current)}` : "Current", ""),
        ...generations.filter((one) => !one.current).map((one) => new Option(label(one), one.name)),
      );
      addOption(list, chosen);
      list.value = chosen;
      showEncoders();
    } catch {
      if (!list.options.length) list.add(new Option("Current", ""));
    }
  }

  const short = ({ name }) => name.split("/").pop();

  // Which encoders the chosen index answers with.
  function showEncoders() {
    const chosen = form.elements.generation.value;
    const answers = generations.find((one) => (chosen ? one.name === chosen : one.current));
    const described = (one) =>
      `${short(one)} (${[one.language && LANGUAGES.of(one.language), one.precision, one.weights].filter(Boolean).join(", ")})`;
    element.querySelector("#encoders").textContent =
      answers ? answers.encoders.map(described).join("; ") || "None: this index answers by keywords only." : "";
  }

  // -- events --

  const ask = (query) => {
    box.value = query;
    search();
  };
  const history = suggestions(form, box, ask);
  onButton(element, "ask", (button) => ask(button.textContent));
  element.querySelector("#reset").addEventListener("click", () => {
    restore(new URLSearchParams({ q: box.value }));
    search();
  });
  form.addEventListener("submit", (event) => {
    event.preventDefault();
    history.close();
    listGenerations();
    values.show();
    search();
  });
  // Enter in an input that belongs to the form submits it. Events of such an input do not pass through the form.
  element.addEventListener("change", ({ target }) => {
    if (target.form !== form || target === box) return;
    if (target.name === "preset") setWeights(target.value);
    else if (target.dataset.weight) setWeights(weights());
    showChosen();
    search({ replace: Boolean(target.dataset.weight) }); // a slider moves in many small steps
  });
  element.addEventListener("input", ({ target }) => {
    if (target.dataset.weight) target.nextElementSibling.value = +target.value;
    if (target === box) typed();
  });
  function typed() {
    history.typed();
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
    if (!typing && settings.get("q")) history.add(settings.get("q"));
  });
  instance.on("opening", () => clearTimeout(typing));

  listGenerations();
  values.show();

  // What there is has changed.
  function refresh() {
    listGenerations();
    values.show();
    search({ typing: true, keepAddress: true });
  }
  return { box, search, refresh, settings, restore, typed, suggests: history.isOpen };
}
