// The page, put together.
import { adding } from "./add.js";
import { choosing } from "./choices.js";
import { carousels } from "./dom.js";
import { corpora } from "./corpora.js";
import { videoView } from "./details.js";
import { evaluate } from "./evaluate.js";
import { helping } from "./help.js";
import { judging } from "./judge.js";
import { byPicture } from "./pictures.js";
import { library } from "./library.js";
import { removing } from "./removal.js";
import { shortcuts } from "./keys.js";
import { resultList } from "./results.js";
import { searchForm } from "./search.js";
import { address, Instance, replaceAddress } from "./state.js";
import { pages } from "./tabs.js";
import { toolbar } from "./toolbar.js";

const TITLE = "TikTok-Retrieval";
const body = document.body, find = (selector) => body.querySelector(selector), search = find("#tab-search");
const instance = new Instance(), box = find("#q"), typedEarly = box.value;

body.addEventListener("click", (event) => {
  const button = event.target.closest("button");
  if (button && button.type !== "submit") instance.draft = false; // what was typed has been used
}, true); // before the parts handle the click

const form = searchForm(body, instance), results = resultList(search, instance);
const view = videoView(body, instance, nextTo);
const look = toolbar(search, instance);
carousels(body);
judging(body, instance);
choosing(body, instance, view);
const pictures = byPicture(body, instance, view);
corpora(find("#corpora"));
const help = helping(find("#help"));
const shown = {
  "": { element: search },
  Library: { element: find("#tab-library"), ...library(find("#tab-library"), view.renew) },
  Evaluate: { element: find("#tab-evaluate"), ...evaluate(find("#tab-evaluate")) },
};
removing(body, view.close, () => tabs.current() === "Library" && shown.Library.recount());
const tabs = pages(shown, follow);
shortcuts(search, { form, results, view, look, help });
adding(body, () => {
  if (tabs.current()) shown[tabs.current()].show();
  if (!find("#results article")) form.refresh();
}, pictures.take);

for (const event of ["answered", "failed"])
  instance.on(event, ({ settings }) => {
    const asked = settings.get("q") ?? (settings.has("picture") ? "By a picture" : "");
    document.title = asked ? `${asked} · ${TITLE}` : TITLE;
  });
// A search that was begun on another tab is answered on the first one.
instance.on("searching", () => {
  body.dataset.state = form.settings().size ? "asked" : "start";
  if (!address().has("tab")) tabs.show("");
});

// Show what the address says. Results that are on show already are not fetched again.
function follow() {
  const params = address();
  tabs.show(params.get("tab") ?? "");
  if (tabs.current() === "Library") shown.Library.follow();
  form.restore(params);
  instance.draft = false;
  if (!instance.isAnswered(form.settings())) form.search({ typing: true, keepAddress: true });
  if (params.has("id")) view.show(params.get("id"), params.get("t"), { keepAddress: true, autoplay: false });
  else view.close();
}
window.addEventListener("popstate", follow);

// A link with data-NAME is followed on this page, unless it is opened elsewhere.
function onLink(name, action) {
  document.addEventListener("click", (event) => {
    const link = event.target.closest(`a[data-${name}]`);
    if (!link || event.button || event.ctrlKey || event.metaKey || event.shiftKey || event.altKey) return;
    event.preventDefault();
    action(link.dataset[name]);
  });
}
onLink("open", (id) => view.show(id));
onLink("filter", (changes) => {
  view.leave();
  if (tabs.current() === "Library") shown.Library.filter(new URLSearchParams(changes));
  else instance.emit("adjust", { changes: new URLSearchParams(changes) });
});

// The id of the video so many steps from one, in the list behind the view.
function nextTo(id, steps) {
  const list = tabs.current() === "Library" ? "#library-videos li" : "#results :is(article, .latest li)";
  const ids = [...document.querySelectorAll(`${list}[data-id]:not([hidden])`)].map((one) => one.dataset.id);
  return ids.includes(id) ? ids[ids.indexOf(id) + steps] : undefined;
}

// What has no picture shows an empty place instead of a broken one.
document.addEventListener("error", ({ target }) => {
  if (!(target instanceof HTMLImageElement)) return;
  const frames = target.closest(".frames");
  if (frames) frames.hidden = true;
  else if (target.closest(".cover")) target.remove();
}, true);

// In a shared link to a video, going back leads to the results, as it does for who opened the video there.
function insertStepBehindVideo(params) {
  const before = new URLSearchParams(params);
  before.delete("id");
  before.delete("t");
  history.replaceState({}, "", before.size ? `?${before}` : location.pathname);
  history.pushState({ views: 1 }, "", `?${params}`);
}

const first = address();
if (first.has("id") && !history.state?.views) insertStepBehindVideo(first);
follow();
if (!first.has("id") && !first.has("tab")) box.focus();
if (typedEarly && !first.has("q")) { // typed while this script was loading
  box.value = typedEarly;
  form.typed();
}
find("#ask").removeAttribute("aria-busy");
