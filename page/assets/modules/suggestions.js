// What drops down from the box: earlier questions that fit, and completions of operators. A listbox, as WAI-ARIA has it.
import { fetchJson } from "./http.js";

const RECENT = "asked-before", MAX_RECENT = 20, MAX_SHOWN = 8;

// `ask(query)` searches for what was chosen.
export function suggestions(form, box, ask) {
  const pop = form.querySelector("#asked-box"), list = form.querySelector("#asked"), forget = form.querySelector("[data-forget]");
  let chosen = -1, completions = [];

  function recent() {
    try {
      return JSON.parse(localStorage.getItem(RECENT) ?? "[]").filter((one) => typeof one === "string");
    } catch {
      return []; // no storage, or a list of another program
    }
  }

  function add(query) {
    try {
      localStorage.setItem(RECENT, JSON.stringify([query, ...recent().filter((one) => one !== query)].slice(0, MAX_RECENT)));
    } catch {} // private windows have no storage
  }

  function option({ text, videos }, number) {
    const item = document.createElement("li"), words = document.createElement("span");
    Object.assign(item, { id: `asked-${number}`, role: "option", ariaSelected: "false" });
    item.dataset.text = text;
    item.dataset.kind = videos === undefined ? "earlier" : "completion";
    words.textContent = text;
    words.dir = "auto";
    item.append(words);
    if (videos !== undefined) item.append(Object.assign(document.createElement("small"), { textContent: videos.toLocaleString("en") }));
    return item;
  }

  function show(open = true) {
    const typed = box.value.trim().toLowerCase();
    const earlier = recent().filter((one) => one.toLowerCase().includes(typed) && one.toLowerCase() !== typed);
    const rows = [...completions, ...earlier.map((text) => ({ text }))].slice(0, MAX_SHOWN);
    chosen = -1;
    list.replaceChildren(...rows.map(option));
    pop.hidden = !open || !rows.length;
    forget.hidden = !earlier.length;
    box.setAttribute("aria-expanded", String(!pop.hidden));
    box.removeAttribute("aria-activedescendant");
  }

  const close = () => show(false), isOpen = () => !pop.hidden;

  function choose(steps) {
    const rows = [...list.children];
    chosen = (chosen + steps + rows.length + 1 + (chosen < 0 && steps < 0 ? 1 : 0)) % (rows.length + 1);
    if (chosen === rows.length) chosen = -1; // back in the box
    rows.forEach((row, number) => row.setAttribute("aria-selected", String(number === chosen)));
    if (chosen < 0) return box.removeAttribute("aria-activedescendant");
    box.setAttribute("aria-activedescendant", rows[chosen].id);
    rows[chosen].scrollIntoView({ block: "nearest" });
  }

  function take(row) {
    if (row.dataset.kind === "earlier") {
      close();
      return ask(row.dataset.text);
    }
    box.value = `${row.dataset.text} `; // more words follow
    completions = [];
    close();
    box.focus();
  }

  async function typed() {
    completions = [];
    show();
    if (!/[@#]\S*$|\bin:("[^"]*|\S*)$/i.test(box.value)) return;
    const text = box.value;
    try {
      const { suggestions } = await fetchJson(`api/suggest?${new URLSearchParams({ q: text })}`);
      if (box.value !== text || document.activeElement !== box) return; // an answer to an earlier text can arrive last
      completions = suggestions.map(({ query, videos }) => ({ text: query, videos }));
      show();
    } catch {} // a search works without
  }

  box.addEventListener("click", () => show());
  box.addEventListener("keydown", (event) => {
    if (event.key === "ArrowDown" && (isOpen() || event.altKey || !document.querySelector("#results article"))) {
      if (!isOpen()) show();
      else choose(1);
    } else if (event.key === "ArrowUp" && isOpen()) choose(-1);
    else if (event.key === "Enter" && isOpen() && chosen >= 0) take(list.children[chosen]);
    else if (event.key === "Escape" && isOpen()) close();
    else return;
    event.preventDefault();
    event.stopPropagation();
  });
  list.addEventListener("mousedown", (event) => event.preventDefault()); // the box keeps the focus
  list.addEventListener("click", ({ target }) => take(target.closest("li")));
  forget.addEventListener("click", () => {
    localStorage.removeItem(RECENT);
    box.focus();
    close();
  });
  form.addEventListener("focusout", ({ relatedTarget }) => form.contains(relatedTarget) || close());
  return { add, typed, close, isOpen };
}
