// "This is the one": the button on a card and in the view that stores or deletes a judgement.
import { onButton } from "./dom.js";
import { checked, fetchJson, Refused } from "./http.js";
import { address } from "./state.js";

export function judging(element, instance) {
  onButton(element, "judge", async (button) => {
    if (button.ariaBusy === "true") return;
    button.ariaBusy = "true"; // not disabled, which would take the focus away
    const pressed = button.getAttribute("aria-pressed") === "true", videoId = button.closest("[data-id]").dataset.id;
    try {
      const number = pressed ? await remove(button.dataset.judge) : await add(button, videoId);
      for (const one of element.querySelectorAll(`[data-id="${CSS.escape(videoId)}"] [data-judge]`)) {
        one.dataset.judge = number;
        one.setAttribute("aria-pressed", String(!pressed));
        one.textContent = "✓ This is the one";
      }
    } catch (error) {
      button.textContent = error instanceof Refused ? error.message : "Not saved. Try again.";
    }
    button.ariaBusy = null;
  });

  async function remove(number) {
    const response = await fetch(`api/judgements/${number}`, { method: "DELETE" });
    if (response.status !== 404) await checked(response); // it may be deleted already
    return "";
  }

  async function add(button, videoId) {
    const view = button.closest("dialog"), opened = address(), found = instance.following();
    // A video can be opened without results: from a link, or in the library.
    const settings = !view || opened.get("q") === found.get("q") ? found : opened;
    const at = view
      ? view.querySelector("video")?.currentTime
      : button.closest("article").querySelector("[data-at]")?.dataset.at;
    const body = {
      query: settings.get("q"),
      video_id: videoId,
      time_s: at ? Number(at) : null,
      generation: settings.get("found") ?? settings.get("generation") ?? "",
    };
    const headers = { "Content-Type": "application/json" };
    return (await fetchJson("api/judgements", { method: "POST", headers, body: JSON.stringify(body) })).id;
  }
}
