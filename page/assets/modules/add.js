// “Add videos”: the button in the header, the dialog, drag and drop onto the page, and how far the server is.
import { failure, onButton } from "./dom.js";
import { dropped, picked, sorted } from "./files.js";
import { fetchJson } from "./http.js";
import { post, remove, Upload } from "./upload.js";
import { uploadView } from "./upload_view.js";

const POLL_MS = 1000;
const MAX_PASTED = 30_000; // characters of links that go as a text; more go as a file

// `onEnd` runs when videos have been added; `searchBy(file)` when a picture is dropped to search by it.
export function adding(element, onEnd, searchBy) {
  const find = (selector) => element.querySelector(selector);
  const dialog = find("#add"), now = find("#add-now"), status = find("#add-status"), brief = find("#add-brief");
  const allowed = new Set(dialog.dataset.allowed.split(",")), fileBytes = Number(dialog.dataset.fileBytes);
  const uploads = new Set(); // those that are not done
  let polling = null, shown = "", wasBusy = false;

  // -- the dialog --

  function open(way) {
    if (!dialog.open) dialog.showModal();
    find("#add-export").open = way === "export";
    const first = { files: "#choose-files", export: "#choose-files", links: "#links" }[way] ?? "#add-title";
    find(first).focus();
    poll();
  }

  document.addEventListener("click", (event) => {
    const button = event.target.closest("[data-add]");
    if (button) open(button.dataset.add);
  });
  find("#add-close").addEventListener("click", () => dialog.close());
  dialog.addEventListener("click", (event) => event.target === dialog && dialog.close());
  for (const kind of ["files", "folder"]) {
    const input = find(`#pick-${kind}`);
    find(`#choose-${kind}`).addEventListener("click", () => input.click());
    input.addEventListener("change", () => {
      send(Promise.resolve({ found: picked(input), unreadable: [] }));
      input.value = ""; // so that the same files can be chosen again
    });
  }

  // -- files --

  async function send(reading) {
    const upload = new Upload();
    uploads.add(upload);
    const view = uploadView(upload, {
      onCancel: () => end(upload, upload.cancel()),
      onGoOn: () => upload.start(),
      onDismiss: () => view.remove(),
    });
    now.prepend(view);
    upload.addEventListener("done", () => begin(upload, view));
    upload.addEventListener("lost", () => announce("The copy was interrupted."));
    if (!dialog.open) open();
    const { found, unreadable } = await reading;
    if (upload.state === "cancelled") return;
    const { taken, refused } = sorted(found, { allowed, fileBytes });
    upload.refused.push(...refused, ...unreadable.map((name) => ({ name, why: "cannot be read" })));
    upload.add(taken);
    if (taken.length > Number(dialog.dataset.files)) return refuse(upload, view, "Too many files for one upload.");
    if (upload.totalBytes > Number(dialog.dataset.totalBytes)) return refuse(upload, view, "Too much for one upload.");
    if (!taken.length) return refuse(upload, view, "None of these files can be added.");
    announce(`Copying ${taken.length} ${taken.length === 1 ? "file" : "files"}.`);
    upload.start();
  }

  function refuse(upload, view, message) {
    end(upload, upload.cancel());
    say(view, new Error(message));
  }

  async function begin(upload, view) {
    try {
      await post("page/add", { upload: upload.id });
      if (!upload.refused.length) view.remove();
    } catch (error) {
      say(view, error);
    }
    end(upload);
  }

  function end(upload) {
    uploads.delete(upload);
    poll();
  }

  function say(view, error) {
    const line = document.createElement("p");
    line.className = "bad";
    line.setAttribute("role", "alert");
    line.textContent = error.message;
    view.querySelector("h3").after(line);
  }

  window.addEventListener("beforeunload", (event) => uploads.size && event.preventDefault());

  // -- drag and drop --

  const target = find("#drop");
  const carriesFiles = (event) => [...(event.dataTransfer?.types ?? [])].includes("Files");
  const toSearch = target.querySelector("[data-zone=search]");
  const showTarget = (on) => {
    if (on !== target.matches(":popover-open")) target[on ? "showPopover" : "hidePopover"]();
  };
  // One picture may be meant to be searched by: the upper part of the page takes it for that.
  const isPicture = ({ items }) => items.length === 1 && items[0].type.startsWith("image/") && !dialog.open;
  const isOnSearch = (event) => !toSearch.hidden && event.clientY < toSearch.getBoundingClientRect().bottom;
  document.addEventListener("dragover", (event) => {
    if (!carriesFiles(event)) return;
    event.preventDefault();
    event.dataTransfer.dropEffect = "copy";
    toSearch.hidden = !isPicture(event.dataTransfer);
    showTarget(true);
    toSearch.toggleAttribute("data-over", isOnSearch(event));
  });
  document.addEventListener("dragleave", (event) => event.relatedTarget || showTarget(false));
  document.addEventListener("drop", (event) => {
    if (!carriesFiles(event)) return;
    event.preventDefault();
    const picture = isOnSearch(event) && event.dataTransfer.files[0];
    showTarget(false);
    if (picture) searchBy(picture);
    else send(dropped(event.dataTransfer));
  }, true);

  // -- links and paths --

  for (const form of dialog.querySelectorAll("form")) {
    form.addEventListener("submit", async (event) => {
      event.preventDefault();
      const field = form.elements.links ?? form.elements.path;
      form.querySelector(".notice")?.remove();
      if (!field.value.trim()) return field.focus();
      if (field.name === "links" && field.value.length > MAX_PASTED) {
        const file = new File([field.value], "pasted links.txt", { type: "text/plain" });
        field.value = "";
        return send(Promise.resolve({ found: [{ file, name: file.name }], unreadable: [] }));
      }
      try {
        await post("page/add", { [field.name]: field.value });
        field.value = "";
      } catch (error) {
        form.append(failure(error));
      }
      poll();
    });
  }

  // -- how far the server is --

  async function poll() {
    clearTimeout(polling);
    try {
      const { busy, brief: words, html } = await fetchJson("page/add");
      show(html);
      const changed = words.split(":")[0] !== brief.textContent.split(":")[0];
      brief.hidden = !busy;
      if (brief.textContent !== words) brief.textContent = words;
      if ((changed && busy) || busy !== wasBusy) announce(words);
      if (wasBusy && !busy) onEnd();
      wasBusy = busy;
      if (busy) polling = setTimeout(poll, POLL_MS);
    } catch { // the server is stopped or busy
      if (wasBusy) polling = setTimeout(poll, 5 * POLL_MS);
    }
  }

  // Replace only what has changed, so that an open list stays open and the focus stays on its button.
  function show(html) {
    if (html === shown) return;
    shown = html;
    const focused = document.activeElement?.closest("#add-status button")?.textContent;
    const open = new Set([...status.querySelectorAll("[data-id]:has(details[open])")].map((one) => one.dataset.id));
    status.innerHTML = html;
    for (const one of status.querySelectorAll("[data-id]"))
      if (open.has(one.dataset.id)) one.querySelector("details")?.setAttribute("open", "");
    if (focused) [...status.querySelectorAll("button")].find((one) => one.textContent === focused)?.focus();
  }

  const announce = (words) => (find("#add-live").textContent = words);
  const act = (action) => async (button, { [action.name]: id }) => {
    button.disabled = true;
    await action.run(id).catch((error) => announce(error.message));
    poll();
  };
  onButton(status, "stop", act({ name: "stop", run: (id) => remove(`page/add/${id}`) }));
  onButton(status, "resume", act({ name: "resume", run: (id) => post("page/add", { upload: id }) }));
  onButton(status, "discard", act({ name: "discard", run: (id) => remove(`page/uploads/${id}`) }));
  poll();
}
