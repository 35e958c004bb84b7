// The Ask tab. What shapes the answer lives in the form, mirrors into the address, and is asked of /page/answer;
// the server answers in HTML with everything scraped escaped. Runs once, in the element that holds the tab.
const $ = (selector) => element.querySelector(selector);
const form = $("#ask"), box = $("#q"), found = $("#results"), view = $("#view"), body = $("#view-body");
const sliders = [...element.querySelectorAll("[data-weight]")];
const NAMES = ["lane", "creator", "tag", "lang", "after", "before", "has", "generation"];
const RECENT = "asked-before", KEEP = 6, TYPING_MS = 350;
let asking = null, typing = 0, card = null;

// -- the form and the address -------------------------------------------------------------------------------------

const weights = () =>
  sliders.filter((slider) => slider.value !== "1").map((slider) => `${slider.dataset.weight}:${+slider.value}`).join();

function settings() {
  const said = new URLSearchParams();
  if (box.value.trim()) said.set("q", box.value.trim());
  if (weights()) said.set("w", weights());
  for (const name of NAMES) {
    const field = form.elements[name];
    const value = field.type === "checkbox" ? (field.checked ? field.value : "") : field.value.trim();
    if (value && !(name === "lane" && value === "hybrid")) said.set(name, value);
  }
  return said;
}

function weigh(text) {
  const wanted = Object.fromEntries(text.split(",").map((part) => part.split(":")));
  for (const slider of sliders) {
    slider.value = wanted[slider.dataset.weight] ?? 1;
    slider.nextElementSibling.value = +slider.value;
  }
  const preset = [...form.elements.preset].find((one) => one.value === weights());
  for (const one of form.elements.preset) one.checked = one === preset;
}

function restore(said) {
  box.value = said.get("q") ?? "";
  weigh(said.get("w") ?? "");
  for (const name of NAMES) {
    const field = form.elements[name], value = said.get(name) ?? (name === "lane" ? "hybrid" : "");
    if (field.type === "checkbox") field.checked = value === field.value;
    else {
      if (name === "generation" && value && ![...field.options].some((one) => one.value === value))
        field.add(new Option(value, value));
      field.value = value;
    }
  }
}

function remember(said, replace) {
  const kept = new URLSearchParams(location.search);
  for (const [name] of [...kept]) if (name.startsWith("__")) said.set(name, kept.get(name)); // Gradio's own: the theme
  const address = said.size ? `?${said}` : location.pathname;
  if (address !== location.search && `?${said}` !== location.search) history[replace ? "replaceState" : "pushState"]({}, "", address);
}

// -- asking -------------------------------------------------------------------------------------------------------

async function fetched(address, signal) {
  const answer = await fetch(address, { signal, headers: { Accept: "text/html" } });
  if (!answer.ok && !(answer.headers.get("Content-Type") ?? "").startsWith("text/html")) throw new Error(answer.statusText);
  return answer.text();
}

function told(title, message) {
  const notice = document.createElement("div"), head = document.createElement("h3"), line = document.createElement("p");
  notice.className = "notice problem";
  notice.setAttribute("role", "alert");
  head.textContent = title;
  line.textContent = message;
  notice.append(head, line);
  return notice;
}

async function ask({ silent = false, replace = silent } = {}) {
  clearTimeout(typing);
  asking?.abort();
  const mine = (asking = new AbortController()), said = settings();
  remember(new URLSearchParams(said), replace);
  found.setAttribute("aria-busy", "true");
  try {
    const html = await fetched(`/page/answer?${said}`, mine.signal);
    found.innerHTML = html;
    if (!silent && said.get("q")) keep(said.get("q"));
  } catch (error) {
    if (error.name === "AbortError") return;
    found.replaceChildren(told("The program does not answer", "It may have been stopped. Start it and ask again."));
  }
  found.removeAttribute("aria-busy");
}

async function more(button) {
  button.disabled = true;
  const said = settings();
  said.set("offset", button.dataset.more);
  try {
    const html = await fetched(`/page/answer?${said}`);
    const last = found.querySelector("article:last-of-type");
    button.insertAdjacentHTML("afterend", html);
    button.remove();
    (last?.nextElementSibling?.matches("article") ? last.nextElementSibling : null)?.focus();
  } catch {
    button.disabled = false;
  }
}

function asked() {
  try {
    return JSON.parse(localStorage.getItem(RECENT) ?? "[]").filter((one) => typeof one === "string");
  } catch {
    return []; // a browser that keeps nothing, or another program's list
  }
}

function keep(question) {
  try {
    localStorage.setItem(RECENT, JSON.stringify([question, ...asked().filter((one) => one !== question)].slice(0, KEEP)));
  } catch {} // private windows
  recent();
}

function recent() {
  const list = $("#recent");
  list.replaceChildren(
    ...asked().map((question) => {
      const item = document.createElement("li"), button = document.createElement("button");
      button.type = "button";
      button.dataset.ask = "";
      button.textContent = question;
      item.append(button);
      return item;
    }),
  );
  list.hidden = !list.children.length;
}

async function complete() {
  if (!/[@#]\S*$/.test(box.value)) return;
  try {
    const { suggestions } = await (await fetch(`/api/suggest?${new URLSearchParams({ q: box.value })}`)).json();
    $("#completions").replaceChildren(...suggestions.map((one) => new Option("", one.query)));
  } catch {} // a question can be asked without
}

async function generations() {
  const list = form.elements.generation;
  try {
    const known = (await (await fetch("/api/generations")).json()).generations;
    const current = known.find((one) => one.current), chosen = list.value;
    const label = (one) => `${one.encoder.split("/").pop()}, ${one.videos} videos, ${one.built.slice(0, 16).replace("T", " ")}`;
    list.replaceChildren(
      new Option(current ? `The newest: ${label(current)}` : "The newest", ""),
      ...known.filter((one) => !one.current).map((one) => new Option(label(one), one.name)),
    );
    if (chosen && ![...list.options].some((one) => one.value === chosen)) list.add(new Option(chosen, chosen));
    list.value = chosen;
  } catch {
    if (!list.options.length) list.add(new Option("The newest", ""));
  }
}

// -- the view of one video ----------------------------------------------------------------------------------------

async function show(id, at, { silent = false, play = true } = {}) {
  const said = new URLSearchParams(location.search);
  said.set("id", id);
  if (at) said.set("t", at);
  else said.delete("t");
  if (!silent) history.pushState({ viewing: true }, "", `?${said}`);
  if (!view.open) view.showModal();
  body.replaceChildren();
  view.setAttribute("aria-busy", "true");
  try {
    const generation = said.get("generation") ?? "";
    body.innerHTML = await fetched(`/page/videos/${encodeURIComponent(id)}?${new URLSearchParams({ t: at || "", generation })}`);
  } catch {
    body.replaceChildren(told("This video cannot be shown", "The program does not answer, or the video is gone."));
  }
  view.removeAttribute("aria-busy");
  body.scrollTop = 0;
  body.querySelector("[aria-current]")?.scrollIntoView({ block: "nearest" });
  const video = body.querySelector("video");
  if (!video) return;
  video.addEventListener("error", () => (body.querySelector("[data-broken]").hidden = false));
  if (at) video.currentTime = Number(at);
  if (play) video.play().catch(() => {}); // a file that the browser cannot decode says so itself
}

function hide() {
  body.replaceChildren(); // stops what plays
  if (view.open) view.close();
  card?.isConnected && card.focus();
}

view.addEventListener("close", () => {
  const said = new URLSearchParams(location.search);
  body.replaceChildren();
  if (!said.has("id")) return;
  if (history.state?.viewing) return history.back();
  said.delete("id");
  said.delete("t");
  history.replaceState({}, "", said.size ? `?${said}` : location.pathname);
});

async function judge(button) {
  const pressed = button.getAttribute("aria-pressed") === "true", holder = button.closest("[data-id]");
  button.disabled = true;
  try {
    if (pressed) {
      const answer = await fetch(`/api/judgements/${button.dataset.judge}`, { method: "DELETE" });
      if (!answer.ok && answer.status !== 404) throw new Error(answer.statusText);
    } else {
      const said = settings(), at = holder.querySelector("[data-at]")?.dataset.at;
      const answer = await fetch("/api/judgements", {
        method: "POST",
        headers: { "Content-Type": "application/json" },
        body: JSON.stringify({
          query: said.get("q") ?? "", video_id: holder.dataset.id, time_s: at ? Number(at) : null,
          generation: said.get("generation") ?? "",
        }),
      });
      if (!answer.ok) throw new Error(answer.statusText);
      button.dataset.judge = (await answer.json()).id;
    }
    button.setAttribute("aria-pressed", String(!pressed));
  } catch {
    button.textContent = "Could not be kept: try again";
  }
  button.disabled = false;
}

// -- clicks, keys, history ----------------------------------------------------------------------------------------

element.addEventListener("click", (event) => {
  const button = event.target.closest("button");
  if (!button) return;
  const holder = button.closest("[data-id]"), data = button.dataset;
  if ("ask" in data) {
    box.value = button.textContent;
    ask();
  } else if ("set" in data) {
    const said = settings();
    for (const [name, value] of new URLSearchParams(data.set)) value ? said.set(name, value) : said.delete(name);
    restore(said);
    ask();
  } else if ("more" in data) more(button);
  else if ("judge" in data) judge(button);
  else if ("show" in data) {
    card = holder.closest("article") ?? card;
    show(holder.dataset.id, data.at);
  } else if ("seek" in data) {
    const video = body.querySelector("video");
    if (!video) return;
    video.currentTime = Number(data.seek);
    video.play().catch(() => {});
    const said = new URLSearchParams(location.search);
    said.set("t", data.seek);
    history.replaceState(history.state, "", `?${said}`);
    body.querySelectorAll("[aria-current]").forEach((one) => one.removeAttribute("aria-current"));
    button.closest("li")?.setAttribute("aria-current", "true");
  } else if ("slide" in data) {
    const slides = button.parentElement.querySelector(".slides");
    slides.scrollBy({ left: Number(data.slide) * slides.clientWidth, behavior: "smooth" });
  } else if ("copy" in data) {
    navigator.clipboard?.writeText(location.href).then(() => (button.textContent = "Copied"), () => {});
  } else if (button.id === "close") view.close();
  else if (button.id === "reset") {
    restore(new URLSearchParams({ q: box.value }));
    ask();
  }
});
view.addEventListener("click", (event) => event.target === view && view.close()); // beside the view

form.addEventListener("submit", (event) => {
  event.preventDefault();
  generations();
  ask();
});
form.addEventListener("change", (event) => {
  const changed = event.target;
  if (changed === box) return;
  if (changed.name === "preset") weigh(changed.value);
  else if (changed.dataset.weight) weigh(weights());
  ask();
});
form.addEventListener("input", (event) => {
  const changed = event.target;
  if (changed.dataset.weight) changed.nextElementSibling.value = +changed.value;
  if (changed !== box) return;
  complete();
  clearTimeout(typing);
  if (box.value.trim().length > 2 || !box.value) typing = setTimeout(() => ask({ silent: true }), TYPING_MS);
});
// one video speaks at a time; "play" does not bubble, so it is caught on its way down
element.addEventListener(
  "play",
  (event) => element.querySelectorAll("video").forEach((video) => video !== event.target && video.pause()),
  true,
);

function walk(steps) {
  const cards = [...found.querySelectorAll("article")];
  const next = cards[cards.indexOf(document.activeElement.closest("article")) + steps];
  if (next) {
    next.focus();
    next.scrollIntoView({ block: "nearest" });
  } else if (steps < 0) box.focus();
}

document.addEventListener("keydown", (event) => {
  const at = document.activeElement, writing = at.matches("input:not([type=range], [type=radio], [type=checkbox]), textarea, select");
  if (!element.isConnected || element.offsetParent === null || event.ctrlKey || event.metaKey || event.altKey) return;
  const video = view.open && body.querySelector("video");
  if (event.key === " " && !at.matches("button, summary, select, a, input, video")) {
    if (view.open && video) video.paused ? video.play().catch(() => {}) : video.pause();
    else if (at.matches("article")) at.querySelector("[data-show]")?.click();
    else return;
    event.preventDefault();
  }
  if (view.open) return; // Esc closes it by itself
  const free = !writing && !at.matches("input, .slides, [role=tab]");
  if (event.key === "/" && !writing) {
    event.preventDefault();
    box.focus();
    box.select();
  } else if (event.key === "Enter" && at.matches("article")) at.querySelector("[data-show]")?.click();
  else if (event.key === "Escape" && at.closest("article")) box.focus();
  else if ((event.key === "j" && free) || (event.key === "ArrowDown" && (at.closest("article") || (at === box && !$("#completions").children.length)))) {
    event.preventDefault();
    walk(1);
  } else if ((event.key === "k" && free) || (event.key === "ArrowUp" && at.closest("article"))) {
    event.preventDefault();
    walk(-1);
  }
});

async function follow(play) {
  const said = new URLSearchParams(location.search);
  restore(said);
  if (settings().size) await ask({ silent: true });
  if (said.has("id")) show(said.get("id"), said.get("t"), { silent: true, play });
  else if (view.open) hide();
}
window.addEventListener("popstate", () => {
  const said = new URLSearchParams(location.search);
  if (view.open && !said.has("id")) hide(); // back from the view: the results still stand
  const before = String(settings()), now = new URLSearchParams(said);
  for (const name of [...now.keys()]) if (["id", "t"].includes(name) || name.startsWith("__")) now.delete(name);
  if (before !== String(now) || said.has("id")) follow(false);
});

const wide = matchMedia("(min-width: 1000px)"), panel = $("#panel");
const unfold = () => (panel.open = wide.matches);
wide.addEventListener("change", unfold);
unfold();
recent();
generations();
follow(false);
if (!new URLSearchParams(location.search).has("id")) box.focus();
