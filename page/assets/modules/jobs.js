// The last job of a tab: how far it is, its last lines, and Stop. Buttons with data-job start one.
import { failure, onButton } from "./dom.js";
import { checked, fetchJson } from "./http.js";
import { post } from "./upload.js";

const POLL_MS = 1000;

// `path` is where jobs are started, `input()` what goes with the name of the job, `ended()` runs when one has ended.
export function jobs(element, { path, input, ended }) {
  const panel = element.querySelector("[data-jobs]"), about = panel.querySelector(".about");
  const stop = panel.querySelector("[data-stop]"), output = panel.querySelector(".output");
  let polling = null, wasRunning = false;

  async function poll() {
    clearTimeout(polling);
    try {
      const { running, html, lines } = await fetchJson(`page/jobs/${panel.dataset.jobs}`);
      if (about.innerHTML !== html) about.innerHTML = html;
      output.querySelector("pre").textContent = lines;
      output.hidden = !html;
      stop.hidden = !running;
      if (!running) Object.assign(stop, { disabled: false, textContent: "Stop" });
      if (wasRunning && !running) ended();
      wasRunning = running;
      if (running) polling = setTimeout(poll, POLL_MS);
    } catch { // the server is stopped or busy
      if (wasRunning) polling = setTimeout(poll, 5 * POLL_MS);
    }
  }

  onButton(element, "job", async (button, { job }) => {
    button.disabled = true;
    try {
      await post(path, { name: job, ...input() });
      wasRunning = true; // although it may have ended by now
      await poll();
      panel.scrollIntoView({ block: "nearest" });
    } catch (error) {
      about.prepend(failure(error));
    }
    button.disabled = false;
  });
  stop.addEventListener("click", async () => {
    Object.assign(stop, { disabled: true, textContent: "Stopping …" });
    await fetch("page/jobs", { method: "DELETE" }).then(checked).catch(() => {});
    poll();
  });
  return { poll };
}
