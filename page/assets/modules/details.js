// The view of one video, which opens over the results. The address holds its id and the second to play from.
import { failure, onButton } from "./dom.js";
import { fetchHtml } from "./http.js";
import { address, replaceAddress } from "./state.js";

export function videoView(element, instance) {
  const dialog = element.querySelector("#view"), body = element.querySelector("#view-body");
  let request = null, card = null; // the card that the view was opened from
  const player = () => body.querySelector("video");
  const play = (video) => video.play().catch(() => {}); // the element itself says that a file cannot be decoded

  // `keepAddress`: the video comes from the address
  async function show(id, at, { keepAddress = false, autoplay = true } = {}) {
    instance.emit("opening");
    request?.abort();
    const mine = (request = new AbortController()), params = address();
    params.set("id", id);
    if (at) params.set("t", at);
    else params.delete("t");
    // `views` counts how many steps back the results are: videos can be opened from a video
    if (!keepAddress) history.pushState({ views: (history.state?.views ?? 0) + 1 }, "", `?${params}`);
    if (!dialog.open) dialog.showModal();
    body.replaceChildren();
    body.focus(); // so that Space plays and the arrow keys scroll
    dialog.setAttribute("aria-busy", "true");
    try {
      const wanted = { t: at || "", generation: params.get("generation") ?? "", q: params.get("q") ?? "" };
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
    const video = player();
    if (!video) return;
    video.addEventListener("error", () => (body.querySelector("[data-broken]").hidden = false));
    if (at) video.currentTime = Number(at);
    if (autoplay) play(video);
  }

  function seek(button, second) {
    const video = player();
    if (!video) return;
    video.currentTime = Number(second);
    play(video);
    const params = address();
    params.set("t", second);
    replaceAddress(params);
    body.querySelectorAll("[aria-current]").forEach((line) => line.removeAttribute("aria-current"));
    button.closest("li")?.setAttribute("aria-current", "true");
  }

  async function copyLink(button) {
    const link = new URL(location.href), second = player()?.currentTime;
    if (second) link.searchParams.set("t", second.toFixed(1));
    try {
      await navigator.clipboard.writeText(link);
      button.textContent = "Copied";
    } catch { // browsers offer the clipboard only on https and localhost
      const field = Object.assign(document.createElement("input"), { value: link, readOnly: true, ariaLabel: "The link" });
      button.replaceWith(field);
      field.select();
    }
  }

  onButton(element, "show", (button, { at }) => {
    card = button.closest("article") ?? card;
    show(button.closest("[data-id]").dataset.id, at);
  });
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
