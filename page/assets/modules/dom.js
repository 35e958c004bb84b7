// Small pieces of the page that several parts need.
import { Refused } from "./http.js";

// A message in place of results.
function notice(title, message) {
  const box = document.createElement("div"), heading = document.createElement("h2"), line = document.createElement("p");
  box.className = "notice problem";
  box.setAttribute("role", "alert");
  heading.textContent = title;
  line.textContent = message;
  box.append(heading, line);
  return box;
}

export const failure = (error) =>
  error instanceof Refused
    ? notice("This request was refused", error.message)
    : notice("The server does not answer", "It may have been stopped. Start it and try again.");

// A list item with a button: `attribute` says what a click on it does.
export function chip(text, attribute) {
  const item = document.createElement("li"), button = document.createElement("button");
  button.type = "button";
  button.dataset[attribute] = "";
  button.textContent = text;
  item.append(button);
  return item;
}

// Call `action(button, dataset)` when a button with the attribute `data-NAME` inside `element` is clicked.
export function onButton(element, name, action) {
  element.addEventListener("click", (event) => {
    const button = event.target.closest("button");
    if (button && name in button.dataset) action(button, button.dataset);
  });
}

// The photos of a post, one at a time.
export function carousels(element) {
  onButton(element, "slide", (button, { slide }) => {
    const slides = button.parentElement.querySelector(".slides");
    slides.scrollBy({ left: Number(slide) * slides.clientWidth, behavior: "smooth" });
  });
}
