// Files -> the server, two at a time, with progress. An upload outlives a lost connection: `goOn` sends what is missing.
//   change   something is different: progress, a file more, a failure
//   done     every file has arrived or is refused
//   lost     the connection is lost
import { fetchJson, checked } from "./http.js";

const AT_ONCE = 2;
const UPLOADS = "page/uploads";

export class Upload extends EventTarget {
  id = "";
  state = "waiting"; // waiting, sending, lost, done, cancelled
  refused = []; // { name, why }
  sent = 0; // files
  active = new Map(); // file -> { request, loaded }
  #all = [];
  #waiting = [];
  #doneBytes = 0;
  totalBytes = 0;
  totalFiles = 0;
  started = 0; // when sending began or went on, and how many bytes had been sent then
  startedBytes = 0;

  add(files) {
    this.#all.push(...files);
    this.#waiting.push(...files);
    this.totalFiles += files.length;
    for (const { file } of files) this.totalBytes += file.size;
  }

  get bytes() {
    let loaded = this.#doneBytes;
    for (const one of this.active.values()) loaded += one.loaded;
    return loaded;
  }

  // Begin, or go on after a lost connection.
  async start() {
    this.state = "sending";
    this.started = Date.now();
    this.startedBytes = this.bytes;
    this.#changed();
    try {
      if (!this.id) {
        const { id, free } = await fetchJson(UPLOADS, { method: "POST" });
        this.id = id;
        if (this.totalBytes > free) throw new Error("The disk of the server has too little space for these files.");
      }
    } catch (error) {
      return this.#lost(error.name === "TypeError" ? "" : error.message);
    }
    if (this.state === "sending") for (let n = 0; n < AT_ONCE; n++) this.#next();
  }

  async cancel() {
    this.state = "cancelled";
    this.#waiting = [];
    for (const { request } of this.active.values()) request.abort();
    this.active.clear();
    this.#changed();
    if (this.id) await fetch(`${UPLOADS}/${this.id}`, { method: "DELETE" }).catch(() => {}); // else swept after a day
  }

  #next() {
    if (this.state !== "sending") return;
    const one = this.#waiting.shift();
    if (one) return this.#send(one);
    if (this.active.size) return;
    this.state = "done";
    this.#changed();
    this.dispatchEvent(new Event("done"));
  }

  #send(one) {
    const request = new XMLHttpRequest(), entry = { request, loaded: 0 }; // fetch does not say how much it has sent
    this.active.set(one, entry);
    request.upload.onprogress = ({ loaded }) => {
      entry.loaded = Math.min(loaded, one.file.size);
      this.#changed();
    };
    request.onload = () => {
      this.active.delete(one);
      if (request.status === 201) this.sent++;
      else if (request.status === 404 || request.status === 408 || request.status >= 500) {
        this.#waiting.unshift(one);
        if (request.status === 404) this.#startOver();
        return this.#lost(detail(request));
      } else this.refused.push({ name: one.name, why: detail(request) });
      this.#doneBytes += one.file.size;
      this.#changed();
      this.#next();
    };
    request.onerror = () => {
      this.active.delete(one);
      this.#waiting.unshift(one);
      this.#lost("");
    };
    const about = new URLSearchParams({ name: one.name, modified: one.file.lastModified || 0 });
    request.open("PUT", `${UPLOADS}/${this.id}/file?${about}`);
    request.send(one.file);
    this.#changed();
  }

  // The server deleted the folder, as it does after a day.
  #startOver() {
    this.id = "";
    this.sent = this.#doneBytes = 0;
    this.#waiting = [...this.#all];
  }

  #lost(why) {
    if (this.state !== "sending") return;
    this.state = "lost";
    this.why = why;
    this.#changed();
    this.dispatchEvent(new Event("lost"));
  }

  #changed() {
    this.dispatchEvent(new Event("change"));
  }
}

function detail(request) {
  try {
    return JSON.parse(request.responseText).detail;
  } catch {
    return `The server answered ${request.status}.`;
  }
}

export const post = (address, body) =>
  fetchJson(address, { method: "POST", headers: { "Content-Type": "application/json" }, body: JSON.stringify(body) });
export const remove = async (address) => checked(await fetch(address, { method: "DELETE" }));
