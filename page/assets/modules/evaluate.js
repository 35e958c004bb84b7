// The tab Evaluate: judgements, measuring the index, comparing models.
import { failure, onButton } from "./dom.js";
import { checked, fetchHtml, fetchJson } from "./http.js";
import { jobs } from "./jobs.js";
import { sortable } from "./sort.js";

export function evaluate(element) {
  const find = (selector) => element.querySelector(selector), form = find("#evaluate"), reports = find("#evaluate-report");
  const path = find("#evaluate-path");
  sortable(element);

  async function show() {
    try {
      const page = await fetchJson("page/evaluate");
      for (const name of ["judgements", "evaluation", "report"]) find(`#${name}`).innerHTML = page[name];
      reports.replaceChildren(...page.reports.map(({ id, made }) => new Option(made, id)));
      find("#evaluate-reports").hidden = !page.reports.length;
    } catch (error) {
      find("#judgements").replaceChildren(failure(error));
    }
  }

  const job = jobs(element, {
    path: "page/evaluate/jobs",
    input: () => ({
      path: form.elements.which.value === "file" ? form.elements.path.value : null,
      models: new FormData(form).getAll("models"),
    }),
    ended: async () => {
      await show();
      const made = find("#report").textContent && find("#evaluate-report").value ? "#report" : "#evaluation";
      find(made).scrollIntoView({ block: "start" });
    },
  });
  form.addEventListener("change", () => (path.hidden = form.elements.which.value !== "file"));
  form.addEventListener("submit", (event) => event.preventDefault());
  reports.addEventListener("change", async () => {
    find("#report").innerHTML = await fetchHtml(`page/evaluate/reports/${reports.value}`).catch(() => "");
  });
  onButton(element, "judgement", async (button, { judgement }) => {
    button.disabled = true;
    const response = await fetch(`api/judgements/${judgement}`, { method: "DELETE" }).catch(() => null);
    if (response && response.status !== 404) await checked(response).catch(() => {});
    show();
  });
  return { show: () => (show(), job.poll()) };
}
