// The list of results.
import { failure, onButton } from "./dom.js";
import { checked, fetchAnswer } from "./http.js";

const CHANGED = "The index has changed since. The file has the results of the current one.";

function save(file, name) {
  const link = Object.assign(document.createElement("a"), { href: URL.createObjectURL(file), download: name });
  link.click();
  setTimeout(() => URL.revokeObjectURL(link.href), 60_000);
}

export function resultList(element, instance) {
  const list = element.querySelector("#results");

  // One divider stands behind the last likely result, however many pages there are.
  function divide() {
    const dividers = [...list.querySelectorAll(".apart")], likely = [...list.querySelectorAll("article[data-likely]")].at(-1);
    const after = (one) => !likely || likely.compareDocumentPosition(one) & Node.DOCUMENT_POSITION_FOLLOWING;
    const keep = dividers.find(after);
    for (const one of dividers) if (one !== keep) one.remove();
  }

  // A newer index may have put a video on show among those that follow.
  function withoutRepeats(html) {
    const made = Object.assign(document.createElement("template"), { innerHTML: html });
    for (const one of made.content.querySelectorAll("article"))
      if (list.querySelector(`article[data-id="${CSS.escape(one.dataset.id)}"]`)) one.remove();
    return made.content;
  }

  const generationOnShow = () => [...list.querySelectorAll("[data-generation]")].at(-1)?.dataset.generation ?? "";

  instance.on("searching", () => list.setAttribute("aria-busy", "true"));
  instance.on("answered", ({ html }) => {
    list.innerHTML = html;
    instance.generation = generationOnShow();
    list.removeAttribute("aria-busy");
  });
  instance.on("failed", ({ error }) => {
    list.replaceChildren(failure(error));
    list.removeAttribute("aria-busy");
  });

  onButton(list, "set", (_, { set }) => instance.emit("adjust", { changes: new URLSearchParams(set) }));
  onButton(list, "more", async (button, { more }) => {
    button.disabled = true;
    const params = instance.following();
    params.set("offset", more);
    try {
      const html = await fetchAnswer(params);
      if (!button.isConnected) return; // another search has been answered
      const shown = list.querySelectorAll("article").length;
      button.replaceWith(withoutRepeats(html));
      instance.generation = generationOnShow() || instance.generation;
      divide();
      list.querySelectorAll("article")[shown]?.focus();
    } catch {
      button.disabled = false;
    }
  });

  // The file comes from the generation of the results, or if it is gone, from the current one. The page says so.
  list.addEventListener("click", async (event) => {
    const link = event.target.closest("[data-download]");
    if (!link || event.ctrlKey || event.metaKey || event.shiftKey) return;
    event.preventDefault();
    try {
      const response = await checked(await fetch(link.href)), found = new URL(link.href).searchParams.get("found");
      save(await response.blob(), "results.csv");
      if (response.headers.get("X-Generation") === found || link.nextElementSibling) return;
      link.after(Object.assign(document.createElement("span"), { textContent: ` ${CHANGED}` }));
    } catch {
      location.assign(link.href); // the browser says what is wrong
    }
  });

  return {
    // Focus the card so many steps from the focused one; return whether there is one.
    walk(steps) {
      const cards = [...list.querySelectorAll("article")];
      const next = cards[cards.indexOf(document.activeElement.closest("article")) + steps];
      next?.focus();
      next?.scrollIntoView({ block: "nearest" });
      return Boolean(next);
    },
  };
}
