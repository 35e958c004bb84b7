// The settings above the results: menus that open one at a time, and list or grid.
import { onButton } from "./dom.js";

const LOOK = "results-as";

export function toolbar(element, instance) {
  const menus = [...element.querySelectorAll(".menu")], look = element.querySelector("#look");
  const results = element.querySelector("#results");

  function close(returnFocus) {
    const open = menus.find((one) => one.open);
    if (!open) return false;
    open.open = false;
    if (returnFocus) open.querySelector("summary").focus();
    return true;
  }

  // The toolbar scrolls sideways on narrow pages, so its menus are placed next to it, not inside it.
  function place(menu) {
    const pop = menu.querySelector(".pop"), { left, bottom } = menu.getBoundingClientRect();
    pop.style.setProperty("--left", `${Math.max(8, Math.min(left, innerWidth - pop.offsetWidth - 8))}px`);
    pop.style.setProperty("--top", `${bottom + 6}px`);
  }

  for (const menu of menus)
    menu.addEventListener("toggle", () => {
      if (!menu.open) return;
      for (const other of menus) if (other !== menu) other.open = false;
      place(menu);
    });
  addEventListener("resize", () => menus.filter((one) => one.open).forEach(place));
  addEventListener("scroll", () => menus.filter((one) => one.open).forEach(place), { passive: true });
  document.addEventListener("pointerdown", ({ target }) => target.closest(".menu") || close(false));
  onButton(element, "set", (button, { set }) => {
    if (!button.closest(".menu")) return;
    close(true);
    instance.emit("adjust", { changes: new URLSearchParams(set) });
  });
  // On a phone, a menu lies over the results: one choice is made, and its results are looked at.
  // (An arrow key chooses as well, and goes on: its click has no detail.)
  element.addEventListener("click", ({ target, detail }) => {
    if (detail && target.name === "preset" && matchMedia("(max-width: 640px)").matches) close(true);
  });
  element.addEventListener("keydown", (event) => {
    if (event.key === "Escape" && close(true)) event.stopPropagation();
  });

  function stored() {
    try {
      return localStorage.getItem(LOOK) === "grid";
    } catch {
      return false; // no storage
    }
  }

  function setLook(grid) {
    results.classList.toggle("grid", grid);
    look.setAttribute("aria-pressed", String(grid));
    try {
      localStorage.setItem(LOOK, grid ? "grid" : "list");
    } catch {} // private windows have no storage
  }

  const change = () => setLook(!results.classList.contains("grid"));
  look.addEventListener("click", change);
  setLook(stored());
  return { change };
}
