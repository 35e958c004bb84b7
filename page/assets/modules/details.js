// The view of one video, which opens over the results. The address holds its id and the second to play from.
import { failure, onButton } from "./dom.js";
import { fetchHtml } from "./http.js";
import { address, replaceAddress } from "./state.js";

// `nextTo(id, steps)` gives the id of another video in the list behind the view, if there is one.
export function videoView(element, instance, nextTo) {
  const dialog = element.querySelector("#view"), body = element.querySelector("#view-body");
  let request = null, card = null; // the card that the view was opened from
  let shown = null, listed = null; // the video on show, and the last one that is in the list behind the view
  const player = () => body.querySelector("video");
  const play = (video) => video.play().catch(() => {}); // the element itself says that a file cannot be decoded

  // `keepAddress`: the video comes from the address; `step`: it replaces the one on show; `part`: what to scroll to
  async function show(id, at, { keepAddress = false, autoplay = true, step = false, part = "" } = {}) {
    instance.emit("opening");
    request?.abort();
    const mine = (request = new AbortController()), params = address();
    params.set("id", id);
    if (at) params.set("t", at);
    else params.delete("t");
    // `views` counts how many steps back the results are: videos can be opened from a video
    if (step) replaceAddress(params);
    else if (!keepAddress) history.pushState({ views: (history.state?.views ?? 0) + 1 }, "", `?${params}`);
    if (!dialog.open) dialog.showModal();
    body.replaceChildren();
    shown = id;
    renew();
    body.focus(); // so that Space plays and the arrow keys scroll
    dialog.setAttribute("aria-busy", "true");
    try {
      const found = instance.following(), wanted = { t: at || "" };
      for (const name of ["q", "w", "picture", "read"]) wanted[name] = params.has("tab") ? "" : (params.get(name) ?? "");
      const asked = wanted.q || wanted.picture, same = ["q", "picture"].every((one) => wanted[one] === (found.get(one) ?? ""));
      wanted.generation = (asked && same ? found.get("found") : params.get("generation")) ?? "";
      const html = await fetchHtml(`page/videos/${encodeURIComponent(id)}?${new URLSearchParams(wanted)}`, mine.signal);
      if (mine.signal.aborted) return;
      body.innerHTML = html;
    } catch (error) {
      if (mine.signal.aborted) return;
      body.replaceChildren(failure(error));
    }
    dialog.removeAttribute("aria-busy");
    body.scrollTop = 0;
    body.querySelector("[aria-current]")?.scrollIntoView({ block: "nearest" });
    if (part) body.querySelector(`[data-part="${CSS.escape(part)}"]`)?.scrollIntoView({ block: "start" });
    const video = player(), broken = body.querySelector("[data-broken]"); // the view may be empty when a video fails
    if (!video) return;
    video.addEventListener("error", () => (broken.hidden = false));
    if (at) video.currentTime = Number(at);
    if (autoplay) play(video);
  }

  function seek(button, second) {
    const video = player();
    if (video) {
      video.currentTime = Number(second);
      play(video);
    }
    const params = address();
    params.set("t", second);
    replaceAddress(params);
    body.querySelectorAll("[aria-current]").forEach((line) => line.removeAttribute("aria-current"));
    button.closest("li")?.setAttribute("aria-current", "true");
  }

  async function copyLink(button) {
    const link = new URL(location.href), second = player()?.currentTime; // of a video that is not kept, the address has it
    if (second) link.searchParams.set("t", second.toFixed(1));
    try {
      await navigator.clipboard.writeText(link);
      const { width } = button.getBoundingClientRect(), label = button.dataset.label ?? button.textContent;
      button.style.minWidth = `${Math.ceil(width)}px`; // what is next to it stays where it is
      Object.assign(button.dataset, { label });
      button.textContent = "Copied";
      setTimeout(() => (button.textContent = label), 2_000);
    } catch { // browsers offer the clipboard only on https and localhost
      const field = Object.assign(document.createElement("input"), { value: link, readOnly: true, ariaLabel: "The link" });
      button.replaceWith(field);
      field.select();
    }
  }

  // The list behind the view has changed.
  function renew() {
    if (nextTo(shown, 0)) listed = shown;
    for (const button of dialog.querySelectorAll("[data-step]")) button.disabled = !nextTo(listed, Number(button.dataset.step));
  }
  instance.on("answered", renew);

  function step(steps) {
    const id = nextTo(listed, steps);
    if (id) show(id, null, { step: true });
  }

  // Search the comments: those without the words are hidden.
  function findComments(field) {
    const wanted = field.value.trim().toLocaleLowerCase(), comments = [...body.querySelectorAll(".comments li")];
    for (const one of comments) one.hidden = !one.textContent.toLocaleLowerCase().includes(wanted);
    const found = comments.filter((one) => !one.hidden).length;
    field.parentElement.querySelector("[role=status]").textContent = wanted ? `${found} of ${comments.length}` : "";
  }

  onButton(element, "show", (button, { at, part }) => {
    card = button.closest("article") ?? card;
    show(button.closest("[data-id]").dataset.id, at, { part });
  });
  onButton(dialog, "step", (_, { step: steps }) => step(Number(steps)));
  body.addEventListener("input", ({ target }) => "comments" in target.dataset && findComments(target));
  onButton(body, "seek", (button, { seek: second }) => seek(button, second));
  onButton(body, "copy", copyLink);
  element.querySelector("#close").addEventListener("click", () => dialog.close());
  dialog.addEventListener("click", (event) => event.target === dialog && dialog.close()); // outside the dialog's content
  dialog.addEventListener("close", () => {
    request?.abort();
    dialog.removeAttribute("aria-busy");
    body.replaceChildren(); // stops the video
    if (address().has("id")) history.go(-(history.state?.views ?? 1));
    // The browser has returned the focus before this event: a key that followed may have moved it on.
    const focused = document.activeElement;
    if (card?.isConnected && (focused === document.body || card.contains(focused))) card.focus();
  });
  // One video plays at a time. "play" does not bubble, so it is caught in the capture phase.
  element.addEventListener(
    "play",
    ({ target }) => element.querySelectorAll("video").forEach((video) => video !== target && video.pause()),
    true,
  );

  return {
    show,
    step,
    renew,
    // Close for something else to come: without going back in the history.
    leave() {
      if (!dialog.open) return;
      const params = address();
      params.delete("id");
      params.delete("t");
      replaceAddress(params);
      dialog.close();
    },
    isOpen: () => dialog.open,
    close: () => dialog.open && dialog.close(),
    hasVideo: () => Boolean(player()),
    togglePlay() {
      const video = player();
      if (video.paused) play(video);
      else video.pause();
    },
  };
}
