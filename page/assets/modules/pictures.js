// Search by a picture: chosen, pasted or dropped, or a frame of a video. A picture goes to the server of this page only, which
// keeps it in memory for an hour. Its id and the words read in it are settings of the search, so they are in the address.
import { onButton } from "./dom.js";
import { fetchJson, Refused } from "./http.js";

const MEGABYTE = 2 ** 20;

export function byPicture(element, instance, view) {
  const find = (selector) => element.querySelector(selector);
  const panel = find("#looking"), preview = panel.querySelector("img"), words = panel.querySelector("[role=status]");
  const input = find("#picked"), maxBytes = Number(panel.dataset.maxBytes);
  let request = null, opener = null; // what had the focus before

  const knows = () => document.body.dataset.vision !== "false"; // until it is known, the server says it

  // `state`: reading, failed, none (no vision model), or "" to close
  function show(state, message = "") {
    panel.hidden = !state;
    panel.dataset.state = state;
    words.textContent = message;
    for (const one of panel.querySelectorAll("[data-when]")) one.hidden = !one.dataset.when.split(" ").includes(state);
    if (state !== "reading") showPreview(null);
    if (state === "failed" || state === "none") words.focus();
  }

  function showPreview(file) {
    if (preview.src) URL.revokeObjectURL(preview.src);
    preview.removeAttribute("src");
    preview.hidden = !file;
    if (file) preview.src = URL.createObjectURL(file);
  }
  preview.addEventListener("error", () => (preview.hidden = true)); // a kind that this browser does not know

  function pick() {
    opener = document.activeElement;
    if (knows()) input.click();
    else show("none", "There are no pictures to search in yet.");
  }

  async function take(file) {
    request?.abort();
    if (!knows()) return show("none", "There are no pictures to search in yet.");
    if (!file.type.startsWith("image/")) return show("failed", `“${file.name}” is not a picture.`);
    if (file.size > maxBytes) return show("failed", `The picture is larger than ${maxBytes / MEGABYTE} MB.`);
    const mine = (request = new AbortController());
    show("reading", "Reading the picture …");
    showPreview(file);
    try {
      const headers = { "Content-Type": "application/octet-stream" };
      const made = await fetchJson("api/pictures", { method: "POST", body: file, headers, signal: mine.signal });
      if (mine.signal.aborted) return;
      show("");
      view.leave();
      search({ picture: made.id, read: made.words.join(" ") });
      find("#q").focus(); // words can be added
    } catch (error) {
      if (mine.signal.aborted) return;
      show("failed", error instanceof Refused ? error.message : "The server does not answer. Start it and try again.");
    }
  }

  const search = (changes) => instance.emit("adjust", { changes: new URLSearchParams({ nearer: "", ...changes }) });

  onButton(document, "pick", pick);
  input.addEventListener("change", () => {
    if (input.files[0]) take(input.files[0]);
    input.value = ""; // so that the same file can be chosen again
  });
  onButton(panel, "cancel", () => {
    request?.abort();
    show("");
    (opener?.isConnected ? opener : find("#q")).focus();
  });
  instance.on("searching", () => panel.dataset.state === "reading" || show(""));
  document.addEventListener("paste", (event) => {
    const { files, types } = event.clipboardData;
    if (types.includes("text/plain") || !files[0]?.type.startsWith("image/")) return;
    if (document.querySelector("dialog[open]:not(#view)")) return;
    event.preventDefault();
    take(files[0]);
  });
  onButton(document, "like", (button, { like }) => {
    view.leave();
    search({ picture: like, read: "", q: "" });
    find("#results").focus({ preventScroll: true });
    scrollTo(0, 0);
  });
  return { take };
}
