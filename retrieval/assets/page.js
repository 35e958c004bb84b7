// Runs once in the results' element (`element`); cards come and go inside it, so it listens from there.
element.addEventListener("click", (event) => {
  const button = event.target.closest("button[data-seek]");
  const video = button && button.closest("article").querySelector("video");
  if (!video) return;
  video.currentTime = Number(button.dataset.seek);
  video.play().catch(() => {}); // a file that the browser cannot decode says so itself
});
// one video speaks at a time; "play" does not bubble, so it is caught on its way down
element.addEventListener(
  "play",
  (event) => element.querySelectorAll("video").forEach((video) => video !== event.target && video.pause()),
  true,
);
