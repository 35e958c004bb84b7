// "Delete": remove a video, drop it from the page, and offer to undo that for as long as the server can.
import { onButton } from "./dom.js";
import { checked, Refused } from "./http.js";
import { post } from "./upload.js";

const UNDO_MS = 29_000; // the server allows 30 seconds
const MAX_MESSAGES = 4; // a page that shows more would hide what is below
let toast = null;

// Delete the video of a button with `data-remove` inside `element`. `before` runs once the server has removed it.
export function removing(element, before = () => {}, changed = () => {}) {
  box(); // it must be on the page before it says something, or screen readers do not read it
  onButton(element, "remove", async (button) => {
    if (button.ariaBusy === "true") return;
    button.ariaBusy = "true";
    const id = button.closest("[data-id]").dataset.id;
    files(id, false);
    try {
      await checked(await fetch(`api/videos/${encodeURIComponent(id)}`, { method: "DELETE" }));
      show(id, false);
      before();
      changed();
      say("Deleted.", { label: "Undo (30 s)", action: (offer) => undo(id, offer).then(changed) });
    } catch (error) {
      files(id, true);
      button.textContent = error instanceof Refused ? error.message : "Not deleted. Try again.";
    }
    button.ariaBusy = null;
  });
}

// Delete several videos with one request. `changed()` runs when they are gone, and when they are back.
export async function removeVideos(ids, changed) {
  for (const id of ids) files(id, false);
  try {
    const { removed, unknown } = await post("page/library/remove", { ids });
    for (const id of [...removed, ...unknown]) show(id, false);
    changed();
    const gone = unknown.length ? ` ${many(unknown.length)} had been deleted before.` : "";
    say(`${many(removed.length)} deleted.${gone}`, removed.length && { label: "Undo (30 s)", action: (offer) => undoAll(removed, offer).then(changed) });
  } catch (error) {
    for (const id of ids) files(id, true);
    say(error instanceof Refused ? error.message : "Not deleted: the server does not answer. Try again.");
  }
}

const many = (count) => `${count.toLocaleString("en")} video${count === 1 ? "" : "s"}`;

async function undoAll(ids, offer) {
  try {
    const { back } = await post("page/library/undo", { ids });
    for (const id of back) show(id, true);
    const late = ids.length - back.length;
    say(`${many(back.length)} ${back.length === 1 ? "is" : "are"} back.${late ? ` ${many(late)} had been erased.` : ""}`);
  } catch (error) {
    say(error instanceof Refused ? error.message : "Not undone: the server does not answer. Try again.");
    if (!(error instanceof Refused)) return;
  }
  offer.remove();
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

// Do not wait for the files of a video that is about to go, which the server would refuse; or load them after all.
function files(id, wanted) {
  for (const one of document.querySelectorAll(`[data-id="${CSS.escape(id)}"] :is(img, video, audio)`)) {
    if (!wanted && one.complete) continue; // a picture that is there; videos and sounds are read piece by piece
    for (const name of ["src", "poster"]) {
      const kept = `data-${name}`, [from, to] = wanted ? [kept, name] : [name, kept];
      if (!one.hasAttribute(from)) continue;
      one.setAttribute(to, one.getAttribute(from));
      one.removeAttribute(from);
    }
    if (!one.load) continue;
    if (wanted) one.currentTime = Number(one.dataset.at ?? 0); // where it was
    else {
      one.dataset.at = one.currentTime;
      one.load(); // without an address: gives up what it has asked for
    }
  }
}

// Show or hide the cards and rows of a video, on every tab.
function show(id, shown) {
  if (shown) files(id, true);
  for (const one of document.querySelectorAll(`:is(article, li, tr)[data-id="${CSS.escape(id)}"]`)) one.hidden = !shown;
}

function box() {
  if (!toast?.isConnected) {
    toast = Object.assign(document.createElement("div"), { className: "toast", role: "status", ariaLive: "polite", ariaAtomic: "false" });
    document.body.append(toast);
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
