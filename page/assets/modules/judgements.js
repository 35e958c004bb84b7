// The table of judgements in the tab Evaluate: a click on Delete asks the server to delete one.

export function start(element, trigger) {
  element.addEventListener("click", (event) => {
    const button = event.target.closest("[data-judgement]");
    if (button) trigger("delete", { judgement: Number(button.dataset.judgement) });
  });
}
