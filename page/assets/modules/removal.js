// "Delete": remove a video, drop it from the page, and offer to undo that for as long as the server can.
import { onButton } from "./dom.js";
import { checked, Refused } from "./http.js";

const UNDO_MS = 29_000; // the server allows 30 seconds
let toast = null, timer = 0;

// Delete the video of a button with `data-remove` inside `element`. `before` runs once the server has removed it.
export function removing(element, before = () => {}) {
  box(); // it must be on the page before it says something, or screen readers do not read it
  onButton(element, "remove", async (button) => {
    if (button.ariaBusy === "true") return;
    button.ariaBusy = "true";
    const id = button.closest("[data-id]").dataset.id;
    try {
      await checked(await fetch(`api/videos/${encodeURIComponent(id)}`, { method: "DELETE" }));
      show(id, false);
      before();
      say("Deleted.", { label: "Undo (30 s)", action: () => undo(id) });
    } catch (error) {
      button.textContent = error instanceof Refused ? error.message : "Not deleted. Try again.";
    }
    button.ariaBusy = null;
  });
}

async function undo(id) {
  try {
    await checked(await fetch(`api/videos/${encodeURIComponent(id)}/undo`, { method: "POST" }));
    show(id, true);
    say("The video is back.");
  } catch (error) {
    say(error instanceof Refused ? error.message : "Not undone: the server does not answer. Try again.");
  }
}

// Show or hide the cards and rows of a video, on every tab.
function show(id, shown) {
  for (const one of document.querySelectorAll(`:is(article, li, tr)[data-id="${CSS.escape(id)}"]`)) one.hidden = !shown;
}

function box() {
  if (!toast?.isConnected) {
    toast = Object.assign(document.createElement("div"), { className: "toast", role: "status", ariaLive: "polite" });
    (document.querySelector(".gradio-container") ?? document.body).append(toast);
  }
  return toast;
}

function say(message, offer) {
  clearTimeout(timer);
  const text = document.createElement("span"), close = button("✕", () => box().replaceChildren());
  text.textContent = message;
  close.ariaLabel = "Close the message";
  const parts = [text];
  if (offer) parts.push(button(offer.label, offer.action));
  box().replaceChildren(...parts, close);
  if (offer) parts[1].focus(); // what had the focus is gone
  timer = setTimeout(() => box().replaceChildren(), offer ? UNDO_MS : 8_000);
}

function button(label, action) {
  const made = Object.assign(document.createElement("button"), { type: "button", textContent: label });
  made.addEventListener("click", action);
  return made;
}
