// The values that filters can take here, with their numbers of videos: lists, languages, creators, years, lengths, sources.
import { fetchJson } from "./http.js";

const LISTS = {
  favorites: "Favorites", likes: "Likes", history: "Watch history", shares: "Shares", reposts: "Reposts", posts: "Own posts",
  collection: "Collections",
};
const SHORT = ["<15s", "15s..59s"]; // together they are one more choice
const LENGTHS = { "<1m": "Under 1 min", "<15s": "Under 15 s", "15s..59s": "15 to 59 s", "60s..179s": "1 to 3 min", ">=3m": "3 min or more" };
const MANY = 12; // creators that are shown before something is typed
const count = (videos) => videos.toLocaleString("en");

// For each list of the toolbar: its values, their labels, and how many values make a choice.
const KINDS = {
  languages: { value: (one) => one.language, label: (one) => one.name, least: 2 },
  lists: { value: (one) => one.value, label: (one) => one.name || LISTS[one.list], least: 1 },
  lengths: { value: (one) => one.length, label: (one) => LENGTHS[one.length] ?? one.length, least: 2 },
  sources: { value: (one) => one.source, label: (one) => one.source, least: 2 },
};

// Make a value selectable that the server does not list, such as one in a shared link.
export function addOption(select, value) {
  if (value && ![...select.options].some((option) => option.value === value)) select.add(new Option(value, value));
}

function fill(select, facets, { value, label, least }) {
  const chosen = select.value;
  const options = facets.map((one) => new Option(`${label(one)} (${count(one.videos)})`, value(one)));
  select.replaceChildren(new Option(select.dataset.any, ""), ...options);
  addOption(select, chosen);
  select.value = chosen;
  for (const part of [select, ...select.labels]) part.hidden = facets.length < least && !chosen;
}

function button({ label, changes, videos }) {
  const item = document.createElement("li"), one = document.createElement("button");
  Object.assign(one, { type: "button", textContent: label, dir: "auto" });
  one.dataset.set = new URLSearchParams(changes);
  one.append(Object.assign(document.createElement("small"), { textContent: ` ${count(videos)}` }));
  item.append(one);
  return item;
}

// Buttons with counts that set filters. One that stays is not replaced: it may be pressed at this moment.
function buttons(list, rows) {
  const wanted = rows.map(button);
  const before = [...list.children].filter((old) => wanted.some((item) => item.isEqualNode(old)) || old.remove());
  wanted.forEach((item, place) => {
    const kept = before.find((old) => old.isEqualNode(item)) ?? item;
    if (list.children[place] !== kept) list.insertBefore(kept, list.children[place] ?? null);
  });
  list.hidden = !rows.length;
}

// The filters of the toolbar. `show()` reads their values again.
export function facets(element, form) {
  let creators = [], asked = "";
  const some = element.querySelector("#some-creators");
  const ofCreator = ({ creator, videos }) => ({ label: `@${creator}`, changes: { creator }, videos });

  // Creators whose names begin with what is typed.
  async function find(typed) {
    asked = typed;
    if (!typed) return buttons(some, creators.slice(0, MANY).map(ofCreator));
    try {
      const { suggestions } = await fetchJson(`api/suggest?${new URLSearchParams({ q: `@${typed}` })}`);
      if (asked !== typed) return; // an answer to an earlier text can arrive last
      buttons(some, suggestions.map(({ query, videos }) => ofCreator({ creator: query.replace(/^@/, ""), videos })));
    } catch {} // a search works without
  }
  form.elements.creator.addEventListener("input", ({ target }) => find(target.value.trim().replace(/^@/, "")));

  async function show() {
    const generation = form.elements.generation.value;
    const found = await fetchJson(`api/facets?${new URLSearchParams(generation ? { generation } : {})}`);
    const short = found.lengths.filter(({ length }) => SHORT.includes(length));
    if (short.length > 1) found.lengths.unshift({ length: "<1m", videos: short[0].videos + short[1].videos });
    for (const select of element.querySelectorAll("[data-facet]"))
      fill(select, found[select.dataset.facet], KINDS[select.dataset.facet]);
    creators = found.creators;
    find("");
    buttons(element.querySelector("#years"), found.years.map(({ year, videos }) => ({
      label: String(year), changes: { posted: year, after: "", before: "" }, videos,
    })));
    document.body.dataset.vision = found.vision; // whether a picture can be searched by
    for (const one of element.querySelectorAll("[data-vision]")) if (one !== document.body) one.hidden = !found.vision;
    element.querySelector("#met").hidden = !found.lists.length;
  }

  // A day that is picked is written into the box next to the calendar.
  for (const day of element.querySelectorAll("[data-day]"))
    day.addEventListener("change", () => {
      const box = form.elements.namedItem(day.dataset.day);
      box.value = day.value;
      box.dispatchEvent(new Event("change", { bubbles: true }));
    });
  return { show: () => show().catch(() => {}) }; // a search works without
}
