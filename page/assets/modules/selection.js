// Choosing several videos in the library, and deleting them after one question, which one press undoes.
// A box on each cover chooses it; Shift chooses all from the last one; the keys are in page/help.py.
import { onButton } from "./dom.js";
import { removeVideos } from "./removal.js";

const MOST = 1000; // in one request; page/library_tab.py refuses more

// `changed()` runs when videos were deleted or came back.
export function selection(element, changed) {
  const find = (selector) => element.querySelector(selector);
  const list = find("#library-videos"), bar = find("#library-chosen"), start = find("#library-select"), sure = document.querySelector("#delete-chosen");
  const chosen = new Set();
  let last = null; // the box that was pressed before: Shift chooses from there

  const boxes = () => [...list.querySelectorAll("li:not([hidden]) > .pick input")];
  const idOf = (box) => box.closest("[data-id]").dataset.id;
  const active = () => list.classList.contains("choosing");
  const many = (count) => `${count.toLocaleString("en")} video${count === 1 ? "" : "s"}`;

  function show() {
    for (const box of boxes()) box.checked = chosen.has(idOf(box));
    bar.hidden = !active();
    find("#library-chosen-count").textContent = chosen.size ? `${chosen.size.toLocaleString("en")} selected` : "Select videos";
    find("[data-delete-chosen]").disabled = !chosen.size;
    find("[data-choose-all]").disabled = boxes().every((box) => box.checked);
  }

  function set(on) {
    list.classList.toggle("choosing", on);
    start.setAttribute("aria-pressed", String(on));
    if (!on) chosen.clear();
    last = null;
    show();
  }

  function choose(box, on, range) {
    const all = boxes(), from = range && last?.isConnected ? all.indexOf(last) : -1, to = all.indexOf(box);
    const between = from < 0 ? [box] : all.slice(Math.min(from, to), Math.max(from, to) + 1);
    for (const one of between) on ? chosen.add(idOf(one)) : chosen.delete(idOf(one));
    last = box;
    if (!active()) set(true);
    show();
  }

  function all() {
    for (const box of boxes()) chosen.add(idOf(box));
    show();
  }

  function ask() {
    if (!chosen.size) return;
    const left = chosen.size - boxes().filter((box) => box.checked).length;
    sure.querySelector("h2").textContent = `Delete ${many(chosen.size)}?`;
    sure.querySelector("p").textContent =
      (left ? `${many(left)} of them ${left === 1 ? "is" : "are"} not on show. ` : "") +
      "You can undo this for 30 seconds. Then they are erased, with their files and texts.";
    sure.returnValue = "";
    sure.showModal();
  }

  sure.addEventListener("close", async () => {
    if (sure.returnValue !== "delete") return;
    const ids = [...chosen];
    set(false);
    start.focus();
    for (let at = 0; at < ids.length; at += MOST) await removeVideos(ids.slice(at, at + MOST), changed);
  });

  let shift = false; // of the press that a change follows
  list.addEventListener("pointerdown", (event) => (shift = event.shiftKey), true);
  list.addEventListener("keydown", (event) => (shift = event.shiftKey), true);
  list.addEventListener("change", ({ target }) => target.matches(".pick input") && choose(target, target.checked, shift));
  // While videos are chosen, a press on a cover chooses it; elsewhere it opens the video.
  list.addEventListener("click", (event) => {
    const cover = event.target.closest("a.cover");
    if (!cover || !active()) return;
    event.preventDefault();
    event.stopPropagation();
    const box = cover.parentElement.querySelector(".pick input");
    choose(box, !box.checked, event.shiftKey);
  });
  start.addEventListener("click", () => set(!active()));
  onButton(bar, "chooseAll", all);
  onButton(bar, "deleteChosen", ask);
  onButton(bar, "chooseNone", () => (set(false), start.focus()));
  document.addEventListener("keydown", (event) => {
    if (!active() || element.hidden || document.querySelector("dialog[open]")) return;
    if (event.target.matches("input:not([type=checkbox]), textarea, select")) return;
    if (event.key === "Escape") (set(false), start.focus());
    else if (event.key === "Delete") ask();
    else if (event.key === "a" && (event.ctrlKey || event.metaKey)) all();
    else return;
    event.preventDefault();
  });

  return { show };
}
