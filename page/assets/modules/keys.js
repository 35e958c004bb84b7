// Keyboard shortcuts: / to search, j and k through the results, Space to play, Esc to return.

export function shortcuts(element, { form, results, view }) {
  document.addEventListener("keydown", (event) => {
    if (!element.isConnected || element.offsetParent === null) return; // another tab is shown
    if (event.ctrlKey || event.metaKey || event.altKey) return;
    const focused = document.activeElement, card = focused.closest("article");
    const writing = focused.matches("input:not([type=range], [type=radio], [type=checkbox]), textarea, select");
    if (event.key === "Escape" && focused === form.box) event.preventDefault(); // it would empty the box
    if (event.key === " " && !focused.matches("button, summary, select, a, input, video")) {
      if (view.isOpen() && view.hasVideo()) view.togglePlay();
      else if (focused.matches("article")) open(focused);
      else return;
      event.preventDefault();
    }
    if (view.isOpen()) return; // the dialog closes itself on Esc
    const free = !writing && !focused.matches("input, .slides, [role=tab]");
    const leavesBox = focused === form.box && !form.hasCompletions();
    if (event.key === "/" && !writing) {
      event.preventDefault();
      form.box.focus();
      form.box.select();
    } else if (event.key === "Enter" && focused.matches("article")) open(focused);
    else if (event.key === "Escape" && card) form.box.focus();
    else if ((event.key === "j" && free) || (event.key === "ArrowDown" && (card || leavesBox))) {
      event.preventDefault();
      results.walk(1);
    } else if ((event.key === "k" && free) || (event.key === "ArrowUp" && card)) {
      event.preventDefault();
      if (!results.walk(-1)) form.box.focus();
    }
  });
}

const open = (card) => card.querySelector("[data-show]")?.click();
