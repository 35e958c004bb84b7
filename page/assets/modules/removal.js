// "Delete": remove a video, drop it from the page, and offer to undo that for as long as the server can.
import { onButton } from "./dom.js";
import { checked, Refused } from "./http.js";

const UNDO_MS = 29_000; // the server allows 30 seconds
const MAX_MESSAGES = 4; // a page that shows more would hide what is below
let toast = null;

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
      say("Deleted.", { label: "Undo (30 s)", action: (offer) => undo(id, offer) });
    } catch (error) {
      button.textContent = error instanceof Refused ? error.message : "Not deleted. Try again.";
    }
    button.ariaBusy = null;
  });
}

async function undo(id, offer) {
  try {
    await checked(await fetch(`api/videos/${encodeURIComponent(id)}/undo`, { method: "POST" }));
    show(id, true);
    say("The video is back.");
  } catch (error) {
    say(error instanceof Refused ? error.message : "Not undone: the server does not answer. Try again.");
    if (!(error instanceof Refused)) return;
  }
  offer.remove();
}

// Show or hide the cards and rows of a video, on every tab.
function show(id, shown) {
  for (const one of document.querySelectorAll(`:is(article, li, tr)[data-id="${CSS.escape(id)}"]`)) one.hidden = !shown;
}

function box() {
  if (!toast?.isConnected) {
    toast = Object.assign(document.createElement("div"), { className: "toast", role: "status", ariaLive: "polite", ariaAtomic: "false" });
    (document.querySelector(".gradio-container") ?? document.body).append(toast);
  }
  return toast;
}

// Add a message. Each deleted video keeps its own offer to undo.
function say(message, offer) {
  const one = document.createElement("div"), text = document.createElement("span");
  const close = button("✕", () => one.remove());
  text.textContent = message;
  close.ariaLabel = "Close the message";
  one.append(text);
  if (offer) one.append(button(offer.label, ({ target }) => {
    target.disabled = true;
    offer.action(one).finally(() => (target.disabled = false));
  }));
  one.append(close);
  for (const old of box().querySelectorAll(":scope > :not(:has(button + button))")) old.remove(); // what needs no answer
  box().append(one);
  if (box().childElementCount > MAX_MESSAGES) box().firstChild.remove();
  if (offer) one.querySelector("button").focus(); // what had the focus is gone
  setTimeout(() => one.remove(), offer ? UNDO_MS : 8_000);
}

function button(label, action) {
  const made = Object.assign(document.createElement("button"), { type: "button", textContent: label });
  made.addEventListener("click", action);
  return made;
}
