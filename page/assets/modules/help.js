// The dialog with keys and operators.

export function helping(dialog) {
  const open = () => dialog.open || dialog.showModal();
  document.addEventListener("click", (event) => {
    if (event.target.closest("[data-help]")) open();
    if (event.target === dialog || event.target.closest("#help [data-close]")) dialog.close();
  });
  return { open };
}
