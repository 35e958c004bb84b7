// The tab Library: counts, failures, the covers of all videos with the shelves next to them, and the jobs behind its buttons.
// What is filtered is in the address as one parameter, `lib`, apart from the parameters of the question.
import { failure, onButton } from "./dom.js";
import { fetchJson } from "./http.js";
import { jobs } from "./jobs.js";
import { selection } from "./selection.js";
import { address, replaceAddress } from "./state.js";

const TYPING_MS = 250;
const FIRST = "saved"; // the order that needs no parameter

// `listed()` runs when other videos are on show.
export function library(element, listed) {
  const find = (selector) => element.querySelector(selector);
  const words = find("#library-filter"), sort = find("#library-sort"), more = find("#library-more");
  const list = find("#library-videos"), browse = find("#library-browse"), unfold = find("#library-unfold");
  let typing = 0, request = 0, settings = new URLSearchParams(), next = null, shown = null;

  function failed(error) {
    find("#library-figures").replaceChildren(failure(error));
  }

  async function about() {
    const page = await fetchJson("page/library");
    find("#library-figures").innerHTML = page.figures;
    find("#library-retry").hidden = !page.failed;
    find("#library-state").innerHTML = page.state;
  }

  // Show the videos from the first on, or those after the ones on show.
  async function videos(offset = 0) {
    const mine = ++request, params = new URLSearchParams(settings);
    if (offset) params.set("offset", offset);
    list.setAttribute("aria-busy", "true");
    const page = await fetchJson(`page/library/videos?${params}`);
    if (mine !== request) return;
    shown = String(settings);
    next = page.next;
    if (offset) append(page.html);
    else list.innerHTML = page.html;
    find("#library-shelves").innerHTML = page.shelves;
    find("#library-chips").innerHTML = page.chips;
    find("#library-count").textContent = page.count;
    find("#library-kept").setAttribute("aria-pressed", String(settings.has("kept")));
    find("#library-kept").dataset.filter = settings.has("kept") ? "kept=" : "kept=true";
    browse.hidden = !page.html;
    more.hidden = next === null;
    list.removeAttribute("aria-busy");
    chosen.show();
    listed();
  }

  // A month that continues gets no second heading.
  function append(html) {
    const part = document.createElement("div");
    part.innerHTML = html;
    const last = list.querySelector("section:last-of-type"), first = part.querySelector("section");
    if (last && first && last.dataset.month === first.dataset.month) {
      last.querySelector("ul").append(...first.querySelectorAll("li"));
      first.remove();
    }
    list.append(...part.children);
  }

  function restore() {
    settings = new URLSearchParams(address().get("lib") ?? "");
    words.value = settings.get("words") ?? "";
    sort.value = settings.get("sort") ?? FIRST;
    if (!sort.value) sort.value = FIRST;
  }

  function change(changes, { replace = false } = {}) {
    const before = String(settings);
    for (const [name, value] of changes) value ? settings.set(name, value) : settings.delete(name);
    if (String(settings) === before) return;
    const params = address();
    params.delete("lib");
    if (settings.size) params.set("lib", settings);
    if (replace) replaceAddress(params);
    else history.pushState({}, "", `?${params}`);
    videos().catch(failed);
  }

  function filter(changes) {
    for (const name of changes.keys()) if (name === "month") scrollTo({ top: 0 });
    change(changes);
  }

  // Videos were deleted or came back: the counts change, and what is on show stays where it is.
  async function count() {
    listed();
    const [page] = await Promise.all([fetchJson(`page/library/videos?${settings}`), about()]);
    find("#library-count").textContent = page.count;
    find("#library-shelves").innerHTML = page.shelves;
    const made = document.createElement("template");
    made.innerHTML = page.html;
    for (const month of made.content.querySelectorAll("section")) {
      const heading = list.querySelector(`section[data-month="${month.dataset.month}"] h3`);
      if (heading) heading.innerHTML = month.querySelector("h3").innerHTML;
    }
  }
  const recount = () => count().catch(failed);
  const chosen = selection(element, recount);

  const job = jobs(element, {
    path: "page/library/jobs",
    input: () => ({ only_read: find("#library-only-read").checked }),
    ended: () => Promise.all([about(), videos()]).catch(failed),
  });
  words.addEventListener("input", () => {
    clearTimeout(typing);
    typing = setTimeout(() => change([["words", words.value.trim()]], { replace: true }), TYPING_MS);
  });
  sort.addEventListener("change", () => change([["sort", sort.value === FIRST ? "" : sort.value], ["month", ""]]));
  onButton(element, "filter", (button, { filter: wanted }) => {
    if (wanted !== "*") return filter(new URLSearchParams(wanted));
    filter(new URLSearchParams([...settings.keys()].filter((name) => name !== "sort").map((name) => [name, ""])));
    words.value = "";
  });
  more.addEventListener("click", async () => {
    const last = [...list.querySelectorAll("li[data-id]")].at(-1);
    more.disabled = true;
    await videos(next).catch(failed);
    more.disabled = false;
    const all = [...list.querySelectorAll("li[data-id]")];
    if (document.activeElement === document.body || document.activeElement === more) all[all.indexOf(last) + 1]?.querySelector("a").focus({ preventScroll: true });
  });
  // The next page comes before the end of this one is reached.
  new IntersectionObserver(([end]) => end.isIntersecting && next !== null && !more.disabled && more.click(), { rootMargin: "600px" }).observe(more);
  unfold.addEventListener("click", () => unfold.setAttribute("aria-expanded", String(browse.classList.toggle("unfolded"))));

  return {
    show() {
      restore();
      about().catch(failed);
      videos().catch(failed);
      job.poll();
    },
    // The address has changed.
    follow() {
      restore();
      if (String(settings) !== shown) videos().catch(failed);
    },
    filter,
    recount: () => shown !== null && recount(),
  };
}
