// What is searched for, what was found, and the address that holds both. The parts of the page listen to one Instance
// and do not know each other. Its events:
//   searching  a search has begun
//   answered   { html, settings, typing } the answer to the last search
//   failed     { error, settings } it has none
//   adjust     { changes } a part wants other settings: name -> value, "" to remove
//   opening    a video is being opened
import { fetchAnswer } from "./http.js";

export const address = () => new URLSearchParams(location.search);

const url = (params) => (params.size ? `?${params}` : location.pathname);

// Replace the parameters of the address without a step to go back to.
export function replaceAddress(params) {
  history.replaceState(history.state, "", url(params));
}

export class Instance extends EventTarget {
  answered = null; // the settings that the results on show answer
  generation = ""; // that gave them; what follows is asked of it, so that no result moves when there is a newer one
  draft = false; // whether the address holds a query that is still being typed
  #searchId = 0; // answers to earlier searches are dropped
  #request = null; // null if none is running

  emit(name, detail) {
    this.dispatchEvent(new CustomEvent(name, { detail }));
  }

  on(name, listener) {
    this.addEventListener(name, (event) => listener(event.detail ?? {}));
  }

  isAnswered(settings) {
    return !this.#request && Boolean(this.answered) && String(this.answered) === String(settings);
  }

  // The settings of what follows from the results on show, such as more of them.
  following() {
    const params = new URLSearchParams(this.answered ?? "");
    if (this.answered && this.generation) {
      params.delete("generation");
      params.set("found", this.generation);
    }
    return params;
  }

  // Choices refine the results on show, so these are asked of the generation that gave them.
  #refining(settings) {
    const params = new URLSearchParams(settings);
    if (params.has("nearer") && this.generation && this.answered?.get("q") === params.get("q")) params.set("found", this.generation);
    return params;
  }

  // `typing`: nobody pressed Enter, so it is no step to go back to; `keepAddress`: the settings come from the address;
  // `replace`: the step before is not worth going back to.
  async search(settings, { typing = false, keepAddress = false, replace = false } = {}) {
    const id = ++this.#searchId;
    this.#request?.abort();
    this.#request = new AbortController();
    if (!keepAddress) {
      const first = typing && !address().has("q");
      this.#remember(settings, replace || this.draft || first);
      this.draft = typing;
    }
    this.emit("searching");
    try {
      const html = await fetchAnswer(this.#refining(settings), this.#request.signal);
      if (id !== this.#searchId) return;
      this.#request = null;
      this.answered = settings;
      this.emit("answered", { html, settings, typing });
    } catch (error) {
      if (id !== this.#searchId) return;
      this.#request = null;
      this.answered = null;
      this.emit("failed", { error, settings });
    }
  }

  #remember(settings, replace) {
    const params = new URLSearchParams(settings);
    if (url(params) !== url(address())) history[replace ? "replaceState" : "pushState"]({}, "", url(params));
  }
}
