// The tabs: links in the header, and the address that names the one on show.
import { address } from "./state.js";

// `tabs`: name in the address -> { element, show() }, which is called when it comes on show.
export function pages(tabs, onChange) {
  let shown = null;

  function show(name) {
    const wanted = name in tabs ? name : "";
    if (wanted === shown) return;
    shown = wanted;
    document.body.dataset.tab = wanted;
    for (const [one, { element }] of Object.entries(tabs)) element.hidden = one !== wanted;
    for (const link of document.querySelectorAll("a[data-tab]")) {
      if (link.dataset.tab === wanted) link.setAttribute("aria-current", "page");
      else link.removeAttribute("aria-current");
    }
    tabs[wanted].show?.();
  }

  // Go to a tab, as a step to go back from.
  function go(name) {
    const params = address();
    for (const part of ["id", "t", "tab"]) params.delete(part);
    if (name) params.set("tab", name);
    if (String(params) !== String(address())) history.pushState({}, "", params.size ? `?${params}` : location.pathname);
    show(name);
    onChange();
  }

  document.addEventListener("click", (event) => {
    const link = event.target.closest("a[data-tab], a[data-home]");
    if (!link || event.button || event.ctrlKey || event.metaKey || event.shiftKey || event.altKey) return;
    event.preventDefault();
    if ("home" in link.dataset) {
      history.pushState({}, "", location.pathname);
      show("");
      return onChange();
    }
    go(link.dataset.tab);
  });
  return { show, current: () => shown };
}
