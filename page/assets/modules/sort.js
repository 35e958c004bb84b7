// Tables that are sorted by a click on the head of a column.
import { onButton } from "./dom.js";

const value = (row, column) => row.cells[column].dataset.value ?? row.cells[column].textContent;

export function sortable(element) {
  onButton(element, "sort", (button) => {
    const head = button.closest("th"), column = head.cellIndex, body = head.closest("table").tBodies[0];
    const rows = [...body.rows], first = rows.map((row) => value(row, column)).find(Boolean) ?? "";
    // Numbers begin with the largest, texts with A. A second click turns the order.
    const up = head.ariaSort ? head.ariaSort === "descending" : first === "" || Number.isNaN(Number(first));
    const order = new Intl.Collator(undefined, { numeric: true });
    const compare = (one, two) => {
      const [a, b] = [value(one, column), value(two, column)];
      if (a === "" || b === "") return Number(a === "") - Number(b === ""); // what has no value comes last
      const both = Number(a) - Number(b);
      return (Number.isNaN(both) ? order.compare(a, b) : both) * (up ? 1 : -1);
    };
    body.append(...rows.sort(compare));
    for (const other of head.parentElement.cells) other.ariaSort = null;
    head.ariaSort = up ? "ascending" : "descending";
  });
}
