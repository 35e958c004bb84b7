// The values that filters can take here: the lists in which videos were met, and the sources of records.
import { fetchJson } from "./http.js";

const NAMES = {
  favorites: "Favorites", likes: "Likes", history: "Watch history", shares: "Shares", reposts: "Reposts", posts: "Own posts",
  collection: "Collections",
};

const label = ({ list, name, source, videos }) => `${source ?? (name || NAMES[list])} (${videos.toLocaleString("en")})`;

// Make a value selectable that the server does not list, such as one in a shared link.
export function addOption(select, value) {
  if (value && ![...select.options].some((option) => option.value === value)) select.add(new Option(value, value));
}

function fill(select, facets) {
  const chosen = select.value;
  select.replaceChildren(new Option("Any", ""), ...facets.map((one) => new Option(label(one), one.value ?? one.source)));
  addOption(select, chosen);
  select.value = chosen;
}

// Fill the selects of a form. What nothing here has stays hidden.
export async function showFacets(form, generation) {
  const { lists, sources } = await fetchJson(`api/facets?${new URLSearchParams(generation ? { generation } : {})}`);
  const inList = form.elements.in, source = form.elements.source, met = form.querySelector("#met");
  fill(inList, lists);
  fill(source, sources);
  met.hidden = !lists.length && !inList.value;
  for (const part of [source, ...source.labels]) part.hidden = sources.length < 2 && !source.value;
}
