// The Ask tab. What shapes the answer lives in the form, mirrors into the address, and is asked of /page/answer;
// the server answers in HTML with everything scraped escaped. Runs once, in the element that holds the tab.
const $ = (selector) => element.querySelector(selector);
const form = $("#ask"), box = $("#q"), found = $("#results"), view = $("#view"), body = $("#view-body");
const sliders = [...element.querySelectorAll("[data-weight]")];
const NAMES = ["lane", "creator", "tag", "lang", "after", "before", "has", "generation"];
const TITLE = "TikTok-Retrieval", RECENT = "asked-before", KEEP = 6, TYPING_MS = 350;
let asking = null, viewing = null, typing = 0, card = null;
let answered = null; // the settings that the results on show answer
let draft = false; // whether the address holds a question that is still being typed

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

class Refused extends Error {} // the server's own words

async function checked(answer) {
  if (answer.ok) return answer;
  const problem = await answer.json().catch(() => ({}));
  throw new Refused(problem.detail || problem.title || `It answers ${answer.status}.`);
}

async function fetched(address, signal) {
  const answer = await fetch(address, { signal, headers: { Accept: "text/html" } });
  return (answer.headers.get("Content-Type") ?? "").startsWith("text/html") ? answer.text() : (await checked(answer)).text();
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

const why = (error) =>
  error instanceof Refused
    ? told("That cannot be asked", error.message)
    : told("The program does not answer", "It may have been stopped. Start it and try again.");

// `silent`: nobody pressed Enter, so it is not kept among what was asked; `address`: whether the address follows
async function ask({ silent = false, address = true, replace = false } = {}) {
  clearTimeout(typing);
  asking?.abort();
  const mine = (asking = new AbortController()), said = settings();
  if (address) {
    const begun = silent && !new URLSearchParams(location.search).has("q"); // nothing was asked before it
    remember(new URLSearchParams(said), replace || draft || begun);
    draft = silent;
  }
  found.setAttribute("aria-busy", "true");
  try {
    found.innerHTML = await fetched(`/page/answer?${said}`, mine.signal);
    answered = said;
    if (!silent && said.get("q")) keep(said.get("q"));
  } catch (error) {
    if (mine.signal.aborted) return;
    found.replaceChildren(why(error));
    answered = null;
  }
  asking = null;
  found.removeAttribute("aria-busy");
  document.title = said.has("q") ? `${said.get("q")} · ${TITLE}` : TITLE;
}

async function more(button) {
  button.disabled = true;
  const said = new URLSearchParams(answered);
  said.set("offset", button.dataset.more);
  try {
    const html = await fetched(`/page/answer?${said}`);
    if (!button.isConnected) return; // something else has been asked
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
  const chip = (text, what) => {
    const item = document.createElement("li"), button = document.createElement("button");
    button.type = "button";
    button.dataset[what] = "";
    button.textContent = text;
    item.append(button);
    return item;
  };
  const chips = asked().map((question) => chip(question, "ask"));
  list.replaceChildren(...chips, ...(chips.length ? [chip("Forget these", "forget")] : []));
  list.hidden = !chips.length;
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
  clearTimeout(typing);
  viewing?.abort();
  const mine = (viewing = new AbortController()), said = new URLSearchParams(location.search);
  said.set("id", id);
  if (at) said.set("t", at);
  else said.delete("t");
  // how many steps back the results are: the first view is one, what is opened from it two
  if (!silent) history.pushState({ views: (history.state?.views ?? 0) + 1 }, "", `?${said}`);
  if (!view.open) view.showModal();
  body.replaceChildren();
  body.focus(); // Space plays, arrow keys scroll
  view.setAttribute("aria-busy", "true");
  try {
    const asks = new URLSearchParams({ t: at || "", generation: said.get("generation") ?? "", q: said.get("q") ?? "" });
    const html = await fetched(`/page/videos/${encodeURIComponent(id)}?${asks}`, mine.signal);
    if (mine.signal.aborted) return;
    body.innerHTML = html;
  } catch (error) {
    if (mine.signal.aborted) return;
    body.replaceChildren(why(error));
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

view.addEventListener("close", () => {
  viewing?.abort();
  view.removeAttribute("aria-busy");
  body.replaceChildren(); // stops what plays
  if (new URLSearchParams(location.search).has("id")) history.go(-(history.state?.views ?? 1));
  card?.isConnected && card.focus();
});

async function judge(button) {
  if (button.ariaBusy === "true") return;
  const pressed = button.getAttribute("aria-pressed") === "true", holder = button.closest("[data-id]");
  const said = view.contains(button) ? new URLSearchParams(location.search) : answered;
  const at = view.contains(button) ? body.querySelector("video")?.currentTime : holder.querySelector("[data-at]")?.dataset.at;
  button.ariaBusy = "true"; // not disabled: that would take the focus away
  try {
    let number = "";
    if (pressed) {
      const answer = await fetch(`/api/judgements/${button.dataset.judge}`, { method: "DELETE" });
      if (answer.status !== 404) await checked(answer);
    } else {
      const answer = await fetch("/api/judgements", {
        method: "POST",
        headers: { "Content-Type": "application/json" },
        body: JSON.stringify({
          query: said.get("q"), video_id: holder.dataset.id, time_s: at ? Number(at) : null,
          generation: said.get("generation") ?? "",
        }),
      });
      number = (await (await checked(answer)).json()).id;
    }
    for (const one of element.querySelectorAll(`[data-id="${CSS.escape(holder.dataset.id)}"] [data-judge]`)) {
      one.dataset.judge = number;
      one.setAttribute("aria-pressed", String(!pressed));
      one.textContent = "✓ This is the one";
    }
  } catch (error) {
    button.textContent = error instanceof Refused ? error.message : "Could not be kept: try again";
  }
  button.ariaBusy = null;
}

async function copy(button) {
  const link = new URL(location.href), second = body.querySelector("video")?.currentTime;
  if (second) link.searchParams.set("t", second.toFixed(1));
  try {
    await navigator.clipboard.writeText(link);
    button.textContent = "Copied";
  } catch { // browsers give the clipboard to safe addresses only
    const field = Object.assign(document.createElement("input"), { value: link, readOnly: true, ariaLabel: "The link" });
    button.replaceWith(field);
    field.select();
  }
}

// -- clicks, keys, history ----------------------------------------------------------------------------------------

element.addEventListener("click", (event) => {
  const button = event.target.closest("button");
  if (!button) return;
  if (button.type !== "submit") draft = false; // what was typed has served
  const holder = button.closest("[data-id]"), data = button.dataset;
  if ("ask" in data) {
    box.value = button.textContent;
    ask();
  } else if ("forget" in data) {
    localStorage.removeItem(RECENT);
    recent();
    box.focus();
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
  } else if ("copy" in data) copy(button);
  else if (button.id === "close") view.close();
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
  ask({ replace: Boolean(changed.dataset.weight) }); // a slider is set in many small steps
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
  if (event.key === "Escape" && at === box) event.preventDefault(); // it would empty the box
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

// What stands in the address onto the page: results that stand already are not asked for again.
function follow() {
  const said = new URLSearchParams(location.search);
  restore(said);
  draft = false;
  if (asking || !answered || String(answered) !== String(settings())) ask({ silent: true, address: false });
  if (said.has("id")) show(said.get("id"), said.get("t"), { silent: true, play: false });
  else if (view.open) view.close();
}
window.addEventListener("popstate", follow);

const tabs = () => [...document.querySelectorAll("#tabs [role=tab]")];
document.addEventListener("click", (event) => {
  const tab = event.target.closest("#tabs [role=tab]"), said = new URLSearchParams(location.search);
  if (!tab) return;
  if (tab === tabs()[0]) said.delete("tab");
  else said.set("tab", tab.textContent.trim());
  history.replaceState(history.state, "", said.size ? `?${said}` : location.pathname);
});

const wide = matchMedia("(min-width: 1000px)"), panel = $("#panel");
const unfold = () => (panel.open = wide.matches);
wide.addEventListener("change", unfold);
unfold();
recent();
generations();
const begun = new URLSearchParams(location.search);
if (begun.has("id") && !history.state?.views) { // a link to a video: the results lie one step behind it, as ever
  const [id, t] = [begun.get("id"), begun.get("t")];
  begun.delete("id");
  begun.delete("t");
  history.replaceState({}, "", begun.size ? `?${begun}` : location.pathname);
  begun.set("id", id);
  if (t) begun.set("t", t);
  history.pushState({ views: 1 }, "", `?${begun}`);
}
follow();
tabs().find((tab) => tab.textContent.trim() === begun.get("tab"))?.click();
if (!begun.has("id")) box.focus();
