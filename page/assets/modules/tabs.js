// The chosen tab is in the address.
import { address, replaceAddress } from "./state.js";

const tabs = () => [...document.querySelectorAll("#tabs [role=tab]")];

// Show the tab Search without a change of the address.
export function showSearch() {
  const params = address();
  tabs()[0]?.click();
  replaceAddress(params);
}

export function tabsInAddress() {
  window.addEventListener("popstate", () => {
    const name = address().get("tab") ?? tabs()[0]?.textContent.trim();
    const tab = tabs().find((one) => one.textContent.trim() === name);
    if (tab?.getAttribute("aria-selected") === "false") tab.click();
  });
  document.addEventListener("click", (event) => {
    const tab = event.target.closest("#tabs [role=tab]"), params = address();
    if (!tab) return;
    if (tab === tabs()[0]) params.delete("tab");
    else params.set("tab", tab.textContent.trim());
    replaceAddress(params);
  });
  const wanted = address().get("tab");
  tabs().find((tab) => tab.textContent.trim() === wanted)?.click();
}
