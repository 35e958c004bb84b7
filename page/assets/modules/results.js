// The list of results.
import { failure, onButton } from "./dom.js";
import { fetchHtml } from "./http.js";

export function resultList(element, instance) {
  const list = element.querySelector("#results");

  instance.on("searching", () => list.setAttribute("aria-busy", "true"));
  instance.on("answered", ({ html }) => {
    list.innerHTML = html;
    list.removeAttribute("aria-busy");
  });
  instance.on("failed", ({ error }) => {
    list.replaceChildren(failure(error));
    list.removeAttribute("aria-busy");
  });

  onButton(list, "set", (_, { set }) => instance.emit("adjust", { changes: new URLSearchParams(set) }));
  onButton(list, "more", async (button, { more }) => {
    button.disabled = true;
    const params = new URLSearchParams(instance.answered);
    params.set("offset", more);
    try {
      const html = await fetchHtml(`page/answer?${params}`);
      if (!button.isConnected) return; // another search has been answered
      const last = list.querySelector("article:last-of-type");
      button.insertAdjacentHTML("afterend", html);
      button.remove();
      const next = last?.nextElementSibling;
      if (next?.matches("article")) next.focus();
    } catch {
      button.disabled = false;
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
