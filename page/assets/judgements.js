// A click on a judgement's Delete asks the server to delete it.
element.addEventListener("click", (event) => {
  const button = event.target.closest("[data-judgement]");
  if (button) trigger("delete", { judgement: Number(button.dataset.judgement) });
});
