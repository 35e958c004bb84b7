// An upload -> what the dialog shows of it. Names of files become text, never HTML.

const SHOWN = 200; // names in a list

export function uploadView(upload, { onCancel, onGoOn, onDismiss }) {
  const box = make("section", "addition upload"), title = make("h3"), bar = document.createElement("progress");
  const line = make("p"), files = make("ul", "sending"), buttons = make("p", "actions"), refused = make("details");
  bar.setAttribute("aria-label", "All files");
  refused.append(make("summary"), make("ul"));
  const cancel = button("Cancel", onCancel), again = button("Go on", onGoOn), dismiss = button("Close", onDismiss);
  buttons.append(again, cancel, dismiss);
  box.append(title, bar, line, files, buttons, refused);

  function show() {
    const { state, sent, totalFiles, bytes, totalBytes } = upload;
    title.textContent = {
      waiting: "Reading the list of files …",
      sending: `Copying ${plural(totalFiles, "file")}`,
      lost: "The copy was interrupted",
      done: upload.refused.length ? `${sent} of ${plural(totalFiles, "file")} copied` : `${plural(sent, "file")} copied`,
      cancelled: "Cancelled",
    }[state];
    bar.hidden = files.hidden = state !== "sending";
    if (totalBytes) Object.assign(bar, { max: totalBytes, value: bytes });
    line.textContent = {
      waiting: "",
      sending: `${sent + upload.refused.length} of ${totalFiles}, ${megabytes(bytes)} of ${megabytes(totalBytes)}${left(upload)}`,
      lost: `${upload.why || "The server does not answer."} ${sent} of ${plural(totalFiles, "file")} had arrived.`,
      done: "",
      cancelled: "Nothing was added.",
    }[state];
    files.replaceChildren(...[...upload.active].map(([one, { loaded }]) => current(one, loaded)));
    cancel.hidden = state !== "sending" && state !== "lost" && state !== "waiting";
    again.hidden = state !== "lost";
    dismiss.hidden = !cancel.hidden;
    refused.hidden = !upload.refused.length;
    refused.firstChild.textContent = `${plural(upload.refused.length, "file")} not taken`;
    const items = upload.refused.slice(0, SHOWN).map(({ name, why }) => text("li", why.startsWith("“") ? why : `${name} ${why}`));
    if (upload.refused.length > SHOWN) items.push(text("li", `and ${upload.refused.length - SHOWN} more`));
    refused.lastChild.replaceChildren(...items);
  }

  upload.addEventListener("change", show);
  show();
  return box;
}

function current(one, loaded) {
  const item = make("li"), bar = document.createElement("progress");
  Object.assign(bar, { max: one.file.size, value: loaded });
  bar.setAttribute("aria-label", one.name);
  item.append(text("span", one.name), bar);
  return item;
}

function left({ bytes, totalBytes, started, startedBytes }) {
  const seconds = (Date.now() - started) / 1000;
  if (seconds < 3 || bytes <= startedBytes) return "";
  const rest = (seconds / (bytes - startedBytes)) * (totalBytes - bytes);
  return `, about ${rest < 90 ? `${Math.max(1, Math.round(rest))} s` : `${Math.round(rest / 60)} min`} left`;
}

function make(tag, className = "") {
  const element = document.createElement(tag);
  element.className = className;
  return element;
}

function text(tag, content) {
  const element = document.createElement(tag);
  element.textContent = content;
  element.dir = "auto";
  return element;
}

function button(label, action) {
  const element = text("button", label);
  element.type = "button";
  element.addEventListener("click", action);
  return element;
}

const plural = (number, word) => `${number.toLocaleString("en")} ${word}${number === 1 ? "" : "s"}`;
const megabytes = (bytes) => `${(bytes / 1e6).toLocaleString("en", { maximumFractionDigits: 1 })} MB`;
