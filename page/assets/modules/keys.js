// Keyboard shortcuts; page/help.py lists them.

export function shortcuts(element, { form, results, view, look, help }) {
  document.addEventListener("keydown", (event) => {
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
    if (view.isOpen() && !writing && (event.key === "j" || event.key === "k")) return view.step(event.key === "j" ? 1 : -1);
    const sideways = { ArrowRight: 1, ArrowLeft: -1 }[event.key];
    if (view.isOpen() && sideways && !writing && !focused.matches("video, audio, .slides")) return view.step(sideways);
    if (view.isOpen() && !writing && near(document.querySelector("#view"), event.key)) return;
    if (document.querySelector("dialog[open]")) return; // it closes itself on Esc
    if (event.key === "?" && !writing) return help.open();
    const free = !writing && !focused.matches("input, .slides, [role=tab]");
    const leavesBox = focused === form.box && !form.suggests();
    if (event.key === "/" && !writing) {
      event.preventDefault();
      form.box.focus();
      form.box.select();
    } else if (element.hidden) return; // another tab is shown
    else if (event.key === "v" && free) look.change();
    else if (card && free && near(card, event.key)) event.preventDefault();
    else if (event.key === "Enter" && focused.matches("article")) open(focused);
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

// "+" and "-" choose the video of a card or of the view. Return whether the key was one of them.
function near(element, key) {
  const button = "+-".includes(key) && element.querySelector(`[data-near="${key}"]`);
  if (button) button.click();
  return Boolean(button);
}
