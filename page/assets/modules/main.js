// The tab Search, put together. `element` holds the tab.
import { carousels } from "./dom.js";
import { videoView } from "./details.js";
import { judging } from "./judge.js";
import { removing } from "./removal.js";
import { shortcuts } from "./keys.js";
import { resultList } from "./results.js";
import { searchForm } from "./search.js";
import { address, Instance, replaceAddress } from "./state.js";
import { showSearch, tabsInAddress } from "./tabs.js";

const TITLE = "TikTok-Retrieval";

export function start(element) {
  const instance = new Instance(), box = element.querySelector("#q"), typedEarly = box.value;
  element.addEventListener("click", (event) => {
    const button = event.target.closest("button");
    if (button && button.type !== "submit") instance.draft = false; // what was typed has been used
  }, true); // before the parts handle the click
  const form = searchForm(element, instance), results = resultList(element, instance);
  const view = videoView(element, instance);
  carousels(element);
  judging(element, instance);
  removing(element, view.close);
  shortcuts(element, { form, results, view });
  for (const event of ["answered", "failed"])
    instance.on(event, ({ settings }) => {
      document.title = settings.has("q") ? `${settings.get("q")} · ${TITLE}` : TITLE;
    });

  // Show what the address says. Results that are on show already are not fetched again.
  function follow() {
    const params = address();
    form.restore(params);
    instance.draft = false;
    if (!instance.isAnswered(form.settings())) form.search({ typing: true, keepAddress: true });
    if (params.has("id")) view.show(params.get("id"), params.get("t"), { keepAddress: true, autoplay: false });
    else view.close();
  }
  window.addEventListener("popstate", follow);

  // Another tab links to a video: it opens over the results, and going back leads to that tab.
  document.addEventListener("click", async (event) => {
    const link = event.target.closest("a[data-open]");
    if (!link || event.button || event.ctrlKey || event.metaKey || event.shiftKey || event.altKey) return;
    event.preventDefault();
    showSearch();
    await new Promise(requestAnimationFrame); // what is not shown yet cannot have the focus
    view.show(link.dataset.open);
    const params = address();
    params.delete("tab");
    replaceAddress(params);
  });

  const first = address();
  if (first.has("id") && !history.state?.views) insertStepBehindVideo(first);
  follow();
  tabsInAddress();
  if (!first.has("id")) box.focus();
  if (typedEarly && !first.has("q")) { // typed while this script was loading
    box.value = typedEarly;
    form.typed();
  }
  element.querySelector("#ask").removeAttribute("aria-busy");
}

// In a shared link to a video, going back leads to the results, as it does for who opened the video there.
function insertStepBehindVideo(params) {
  const results = new URLSearchParams(params);
  results.delete("id");
  results.delete("t");
  history.replaceState({}, "", results.size ? `?${results}` : location.pathname);
  history.pushState({ views: 1 }, "", `?${params}`);
}
