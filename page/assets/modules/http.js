// Requests to the server. Everything scraped arrives escaped.

export class Refused extends Error {} // its message comes from the server

// Return the response, or throw Refused with what the server says.
export async function checked(response) {
  if (response.ok) return response;
  const problem = await response.json().catch(() => ({}));
  throw new Refused(problem.detail || problem.title || `The server answered ${response.status}.`);
}

// Return the HTML of an answer. An error that is HTML is shown like an answer.
export async function fetchHtml(address, signal) {
  const response = await fetch(address, { signal, headers: { Accept: "text/html" } });
  const isHtml = (response.headers.get("Content-Type") ?? "").startsWith("text/html");
  return (isHtml ? response : await checked(response)).text();
}

export async function fetchJson(address, options) {
  return (await checked(await fetch(address, options))).json();
}

// Return the HTML that answers a search with these settings (URLSearchParams).
export async function fetchAnswer(settings, signal) {
  const body = JSON.stringify({ data: [Object.fromEntries(settings)] });
  const headers = { "Content-Type": "application/json" };
  const { data } = await fetchJson("gradio/gradio_api/run/answer", { method: "POST", headers, body, signal });
  return data[0];
}
