// The values that filters can take here: the lists in which videos were met, the languages, and the sources of records.
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
  select.replaceChildren(new Option("Any", ""), ...facets.map((one) => new Option(label(one), one.value ?? one.language ?? one.source)));
  addOption(select, chosen);
  select.value = chosen;
}

// Fill the selects of a form. What nothing here has stays hidden.
export async function showFacets(form, generation) {
  const { lists, sources, languages } = await fetchJson(`api/facets?${new URLSearchParams(generation ? { generation } : {})}`);
  const inList = form.elements.in, source = form.elements.source, lang = form.elements.lang, met = form.querySelector("#met");
  fill(inList, lists);
  fill(source, sources);
  fill(lang, languages);
  met.hidden = !lists.length && !inList.value;
  for (const [select, facets] of [[source, sources], [lang, languages]]) {
    for (const part of [select, ...select.labels]) part.hidden = facets.length < 2 && !select.value;
  }
}
