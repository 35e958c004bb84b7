// "Nearer to this", "Not like this": the running question is refined. The choices are a setting of the search, so they are
// in the address, and going back takes the last one back.
import { onButton } from "./dom.js";

export function choosing(element, instance, view) {
  const made = document.querySelector("[name=nearer]");

  onButton(element, "near", (button, { near }) => {
    const id = button.closest("[data-id]").dataset.id;
    const others = made.value.split(",").filter((one) => one && one.replace("-", "") !== id);
    view.leave();
    instance.emit("adjust", { changes: new URLSearchParams({ nearer: [...others, (near === "-" ? "-" : "") + id].join() }) });
  });
}
