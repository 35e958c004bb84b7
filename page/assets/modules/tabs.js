// The chosen tab is in the address.
import { address, replaceAddress } from "./state.js";

const tabs = () => [...document.querySelectorAll("#tabs [role=tab]")];

export function tabsInAddress() {
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
