// The list of videos in the tab Library: a click on Delete removes one.
import { removing } from "./removal.js";

export function start(element) {
  removing(element);
}
