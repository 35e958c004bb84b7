/*
 * Steps through the videos of tiktok.com and saves the data of each as a JSON file.
 *
 * Open a video in the layout with the comments beside it, open the browser's console, paste this file, then:
 *
 *   results = await scrape_tiktoks(20)                                 // this video and the next 19
 *   results = await scrape_tiktoks(20, {delay: 4000, comments: 100, replies: true})
 *   result  = await extract_tiktok_information()                       // only the video on the screen
 *   stop_scraping()                                                    // stop after this video; nothing is lost
 *   save_batch()                                                       // save the file now, without waiting for the end
 *   clear_batch()                                                      // delete the kept batch and start again
 *
 * docs/how-to/collect-in-the-browser.md describes the options and how to import the file. After a reload or a stop,
 * scrape_tiktoks resumes the run. Everything on the page is treated as hostile text: it is only read and written as
 * text. Nothing is sent anywhere; the only requests are for pages of videos on this site.
 */
(() => {
  "use strict";

  const OPTIONS = {
    delay: 2000, // ms; the longest wait for the next video, for its comments, and for more of them
    comments: 0, // scroll until this many comments are there; 0: take those that load without scrolling
    replies: false, // open the replies; each follows the comment that it answers
    pause: 500, // ms between two videos, to spare the site
    look_up: true, // fetch the page of the video if this one lacks its play address
    save: true, // save the file at the end of the run
  };

  // Selectors of the elements on the page; the first one that finds something counts. If the site changes its markup,
  // this is the only place to change.
  const SELECTORS = {
    next: ['[data-e2e="arrow-right"]', 'button[aria-label*="next video" i]'],
    link: ['[data-e2e="browse-video-link"]', '[class*="PCopyLinkText"]'],
    player: ['[id^="xgwrapper-"]'],
    video: ['[class*="DivBrowserModeContainer"] video', '[class*="DivVideoContainer"] video', "video"],
    cover: ['img[class*="ImgPoster"]', '[class*="DivVideoContainer"] img', '[class*="DivVideoWrapper"] img'],
    slides: [".swiper-slide:not(.swiper-slide-duplicate) img", '[class*="DivPhoto"] img'],
    username: ['[data-e2e="browse-username"]', '[class*="SpanUniqueId"]', '[data-e2e="video-author-uniqueid"]'],
    nickname_and_time: ['[data-e2e="browser-nickname"]', '[class*="SpanOtherInfos"]'], // "Nickname · 5-5"
    description: ['[data-e2e="browse-video-desc"]', '[data-e2e="video-desc"]'],
    music: ['[data-e2e="browse-music"] a', '[data-e2e="video-music"] a', 'a[href*="/music/"]'],
    likes: ['[data-e2e="browse-like-count"]', '[data-e2e="like-count"]'],
    comment_count: ['[data-e2e="browse-comment-count"]', '[data-e2e="comment-count"]'],
    comment_text: ['[data-e2e="comment-level-1"]', 'p[class*="PCommentText"]'],
    reply_text: ['[data-e2e="comment-level-2"]'],
    commenter: ['[data-e2e^="comment-username"]', 'a[href*="/@"]'],
    comment_likes: ['[data-e2e="comment-like-count"]', '[class*="LikeContainer"] span', '[class*="SpanCount"]'],
    comment_time: ['[data-e2e^="comment-time"]', '[class*="SpanCreatedTime"]', '[class*="SubContent"] span'],
    more_replies: ['[data-e2e^="view-more-"]', '[class*="DivViewRepliesContainer"]', '[class*="ReplyActionText"]'],
  };

  const SITE = "https://www.tiktok.com";
  const ANSWERS = /\/api\/(?:[\w-]+\/)*(?:item_list|item\/detail|comment\/list|search)/; // data requests of the app
  const PAGE_DATA = ["__UNIVERSAL_DATA_FOR_REHYDRATION__", "SIGI_STATE"];
  const LISTS = ["video-srcs", "coverphoto-srcs", "slides-src", "hashtags", "captions", "comments"];
  const ID = /^[0-9]{5,25}$/;
  const ID_IN_LINK = /\/(?:video|photo)\/([0-9]{5,25})(?![0-9])/;
  const QUIET_MS = 150; // an element that has not changed for this long is complete
  const POLL_MS = 250; // the address may change and data arrive without a change in the page
  const MAX_DEPTH = 12; // of the page's data; items are at depth 5
  const MAX_COMMENTS = 2000; // per video; the limit of the importer
  const MAX_REPEATS = 10; // known videos in a row, beyond those of the batch: the feed repeats itself
  const STORE = "tiktok-retrieval/"; // sessionStorage: one batch per tab, deleted with the tab because it contains personal data

  const LONGEST_MS = 2 ** 31 - 1; // a longer timer fires at once

  const NOTHING_SHOWN = { panel: "", values: {}, comments: new Map(), screen: new Set() };

  const known = { items: new Map(), comments: new Map(), web_id: null };
  let run = null; // the current run: {wanted, stopping, may_keep}
  let batch = { records: kept_records(), finished: is_kept_as_finished() };

  // ---------------------------------------------------------------- functions for the user

  /** The batch so far and up to `n_to_scrape` videos in all, from the video on the screen onwards. */
  async function scrape_tiktoks(n_to_scrape, options = {}) {
    const settings = checked(options);
    if (!Number.isInteger(n_to_scrape) || n_to_scrape < 1) throw new RangeError("how many? scrape_tiktoks(20)");
    if (run) throw new Error("a run is active: stop_scraping() ends it");
    if (batch.finished) forget();
    const { records } = batch;
    if (records.length) report(`resuming with the ${records.length} videos kept here; clear_batch() would delete them`);
    let outcome, stop_reading;
    try {
      run = { wanted: n_to_scrape, stopping: false, may_keep: true };
      stop_reading = attempt(read_answers);
      draw_panel();
      harvest_page(document);
      outcome = await walk(records, settings);
    } catch (error) {
      outcome = { reason: `ended by an error: ${error.message}`, finished: false };
      console.error(error);
    } finally {
      run = null;
      stop_reading?.();
    }
    if (outcome.finished) finish();
    if (settings.save && records.length) save_batch();
    report(`${records.length} of ${n_to_scrape} videos: ${outcome.reason}`);
    draw_panel();
    return records;
  }

  /** Return the record of the video on the screen, without adding it to the batch. */
  async function extract_tiktok_information(options = {}) {
    const settings = checked(options);
    const stop_reading = attempt(read_answers);
    try {
      harvest_page(document);
      return await read_video(current_id(), NOTHING_SHOWN, settings);
    } finally {
      stop_reading?.();
    }
  }

  /** End the run after the video on the screen. Return the records so far. */
  function stop_scraping() {
    if (run) {
      run.stopping = true;
      report("stopping after this video");
    }
    return batch.records;
  }

  /** Download the batch as a file. Return the name of the file. */
  function save_batch() {
    const { records } = batch;
    const name = `tiktoks-${new Date().toISOString().slice(0, 19).replaceAll(":", "-")}-${records.length}.json`;
    const link = document.createElement("a");
    link.href = URL.createObjectURL(new Blob([JSON.stringify(records, null, 1)], { type: "application/json" }));
    link.download = name;
    link.click();
    setTimeout(() => URL.revokeObjectURL(link.href), 60_000); // the browser may ask the user before it reads
    return name;
  }

  /** Delete the batch that is kept in this tab. */
  function clear_batch() {
    if (run) throw new Error("a run is active: stop_scraping() ends it");
    forget();
    report("no batch is kept");
  }

  function checked(options) {
    const unknown = Object.keys(options).filter((name) => !(name in OPTIONS));
    if (unknown.length) throw new TypeError(`unknown option ${unknown}; the options are: ${Object.keys(OPTIONS).join(", ")}`);
    for (const [name, value] of Object.entries(options)) {
      const kind = typeof OPTIONS[name];
      const is_right = typeof value === kind && (kind !== "number" || value >= 0);
      const right = kind === "number" ? "a number from 0 up" : "true or false";
      if (!is_right) throw new TypeError(`${name} must be ${right}`);
    }
    const all_of_them = { ...OPTIONS, ...options };
    const [delay, pause] = [all_of_them.delay, all_of_them.pause].map((ms) => Math.min(ms, LONGEST_MS));
    return { ...all_of_them, delay, pause };
  }

  // ---------------------------------------------------------------- stepping through the feed

  /** Add videos to `records` until there are enough. Return why it ended, and whether the batch is finished. */
  async function walk(records, settings) {
    const taken = new Set(records.map((record) => record.id));
    let before = NOTHING_SHOWN;
    let repeats = 0;
    while (records.length < run.wanted) {
      const id = current_id();
      if (taken.has(id)) {
        await panel_changes(id, before, settings);
        repeats += 1;
      } else {
        const record = await read_video(id, before, settings);
        records.push(record);
        taken.add(id);
        repeats = 0;
        keep(record, records.length);
        const missing = record.missing.length ? `, without ${record.missing.join(", ")}` : "";
        report(`${records.length} of ${run.wanted}: ${id}, ${record.comments.length} comments${missing}`);
      }
      if (records.length >= run.wanted) break;
      if (run.stopping) return { reason: "stopped; call scrape_tiktoks again to resume", finished: false };
      if (repeats > records.length + MAX_REPEATS) return { reason: "the feed only repeats itself", finished: true };
      await sleep(settings.pause);
      before = shown();
      const reason = "the feed ends here; call scrape_tiktoks again to resume, clear_batch() to start again";
      if (!(await go_on(id, settings))) return { reason, finished: false };
    }
    return { reason: "complete", finished: true };
  }

  /** Click to the next video. Return false if there is none: no button, a disabled one, or the same video stays. */
  async function go_on(id, { delay }) {
    await wait_for(() => live_buttons().length > 0, delay);
    for (const _ of ["click", "click again"]) { // the site ignores a click while it is busy
      for (const button of live_buttons()) { // one of several may turn the slides of a photo post
        button.click();
        if (await wait_for(() => current_id() !== id && current_id(), delay)) return true;
      }
    }
    return false;
  }

  function live_buttons() {
    return all("next").filter((button) => !button.disabled && button.getAttribute("aria-disabled") !== "true");
  }

  async function read_video(id, before, settings) {
    const is_enough = play_addresses(id).length || known.items.get(id)?.imagePost;
    const looked_up = settings.look_up && !is_enough ? look_up(id, settings.delay) : null;
    await panel_changes(id, before, settings);
    const state = await wait_for(() => comments_state(id, before), settings.delay, QUIET_MS);
    const drawn = () => has_new_comments(before) && all_comments().length; // data may arrive before it is drawn
    if ((settings.comments || settings.replies) && state && state !== "none") {
      const are_drawn = await wait_for(drawn, settings.delay, QUIET_MS);
      if (are_drawn && settings.comments) await scroll_comments(settings);
      if (are_drawn && settings.replies) await open_replies(settings);
    }
    await looked_up;
    return make_record(id, before, settings);
  }

  /** Wait until the page shows the new video: after a step it still shows the previous one. */
  function panel_changes(id, before, { delay }) {
    const changing = ["description", "likes", "comment_count"]; // may be drawn later than the link
    const look = () => {
      const { panel, values } = shown();
      const is_half_drawn = !known.items.has(id) && changing.every((name) => values[name] === before.values[name]);
      return panel && is_panel_of(id, before) && !is_half_drawn && panel;
    };
    return wait_for(look, delay, QUIET_MS);
  }

  /** The visible elements of a video, to distinguish it from the next one: its panel, comments, film and images. */
  function shown() {
    const parts = ["link", "username", "nickname_and_time", "description", "music", "likes", "comment_count"];
    const values = Object.fromEntries(parts.map((name) => [name, text_of(find(name)) ?? ""]));
    const panel = Object.values(values).join("\n").trim();
    const comments = new Map(all_comments().map((element) => [element, words_of(element)]));
    const screen = new Set([find("video"), find("cover"), ...all("slides")].map(source_of));
    screen.add(find("video")?.poster);
    return { panel, values, comments, screen };
  }

  /** Whether the panel is about this video: it names the video, or if it names none, it has changed. */
  function is_panel_of(id, before) {
    const named = text_of(find("link"))?.match(ID_IN_LINK)?.[1];
    if (named) return named === id;
    const wrappers = all("player");
    if (wrappers.length) return Boolean(player_of(id));
    return shown().panel !== before.panel;
  }

  /** Whether the panel can be used: if there is data of the video, it names the same creator. */
  function is_trusted(id, before) {
    const { author, nickname } = known.items.get(id) ?? {};
    const names = [typeof author === "string" ? author : author?.uniqueId, author?.nickname, nickname].filter(Boolean);
    const plain = (name) => String(name).replace(/^@/, "").toLowerCase();
    const username = text_of(find("username"));
    const is_another = username && names.length && !names.map(plain).includes(plain(username));
    return is_panel_of(id, before) && !is_another;
  }

  const player_of = (id) => all("player").find((wrapper) => wrapper.id.endsWith(`-${id}`));

  /** What identifies a comment's element: author and text. Its likes and age change. */
  const words_of = (element) => `${text_of(find("commenter", element.parentElement))}\n${text_of(element)}`;

  /** Whether there are new comments: other elements, or other texts in the same ones. */
  function has_new_comments({ comments }) {
    const elements = all_comments();
    const same = elements.filter((element) => comments.has(element));
    return elements.length > 0 && (!same.length || same.some((element) => comments.get(element) !== words_of(element)));
  }

  /** Truthy when the comments of this video are there or none will come. Changes while they arrive. */
  function comments_state(id, before) {
    const is_of_it = is_trusted(id, before);
    if (is_of_it && has_new_comments(before)) return `${all_comments().length} shown`;
    const answered = known.comments.get(id)?.size;
    if (answered) return `${answered} answered`;
    return has_no_comments(id, is_of_it) && "none";
  }

  function has_no_comments(id, is_of_it) {
    const count = is_of_it ? exact(text_of(find("comment_count"))) : null;
    return (count ?? stat(known.items.get(id) ?? {}, "commentCount")) === 0;
  }

  async function scroll_comments({ comments, delay }) {
    for (;;) {
      const elements = all("comment_text");
      if (!elements.length || elements.length >= Math.min(comments, MAX_COMMENTS)) return;
      let list = elements.at(-1);
      while (list && !can_scroll(list)) list = list.parentElement;
      (list ?? document.scrollingElement).scrollTop = Number.MAX_SAFE_INTEGER;
      const more = () => all("comment_text").length > elements.length && all("comment_text").length;
      if (!(await wait_for(more, delay, QUIET_MS))) return;
    }
  }

  const can_scroll = (element) =>
    /auto|scroll/.test(getComputedStyle(element).overflowY) && element.scrollHeight > element.clientHeight;

  async function open_replies({ delay }) {
    const asked = new Set(); // a button without an effect is pressed once
    while (all_comments().length < MAX_COMMENTS) {
      const count = all_comments().length;
      const buttons = all("more_replies").map((button, place) => [button, `${place} ${button.textContent} ${count}`]);
      // the button shows the number of replies; one without a number hides them
      const [button, name] = buttons.find(([one, name]) => /\d/.test(one.textContent) && !asked.has(name)) ?? [];
      if (!button) return;
      asked.add(name);
      button.click();
      await wait_for(() => all_comments().length !== count && all_comments().length, delay, QUIET_MS);
    }
  }

  /** The result of `look` once it is truthy and unchanged for `quiet_ms`, or after `longest_ms`. */
  function wait_for(look, longest_ms, quiet_ms = 0) {
    return new Promise((resolve) => {
      let last, settled;
      const check = () => {
        const now = attempt(look);
        if (now === last) return;
        last = now;
        clearTimeout(settled);
        if (now) settled = setTimeout(finish, quiet_ms);
      };
      const observer = new MutationObserver(check);
      const poll = setInterval(check, POLL_MS);
      const limit = setTimeout(finish, longest_ms);
      function finish() {
        observer.disconnect();
        clearInterval(poll);
        clearTimeout(limit);
        clearTimeout(settled);
        resolve(last);
      }
      observer.observe(document, {
        subtree: true,
        childList: true,
        characterData: true,
        attributes: true,
        attributeFilter: ["disabled", "aria-disabled", "href", "id"], // not style: a progress bar moves all the time
      });
      check();
    });
  }

  // ---------------------------------------------------------------- data on the page

  function all(name, root = document) {
    for (const selector of SELECTORS[name]) {
      const found = root.querySelectorAll(selector);
      if (found.length) return [...found];
    }
    return [];
  }

  const find = (name, root) => all(name, root)[0] ?? null;

  const text_of = (element) => element?.textContent.trim() ?? null;

  const source_of = (element) =>
    element?.currentSrc || element?.src || element?.querySelector("source")?.src || undefined;

  function current_id() {
    const link = text_of(find("link")) ?? "";
    const wrapper = find("player")?.id.match(/[0-9]{5,25}$/)?.[0];
    const only_one = known.items.size === 1 ? [...known.items.keys()][0] : null; // a saved page of one video
    const id = location.pathname.match(ID_IN_LINK)?.[1] ?? link.match(ID_IN_LINK)?.[1] ?? wrapper ?? only_one;
    if (!id) throw new Error("no video is open: open one in the layout with the comments beside it");
    return id;
  }

  /** The text elements of the comments and replies, in the order of the page. */
  function all_comments() {
    const elements = [...all("comment_text"), ...all("reply_text")];
    return elements.sort((a, b) => (a.compareDocumentPosition(b) & Node.DOCUMENT_POSITION_FOLLOWING ? -1 : 1));
  }

  /** The largest element around `element` without any of `others` or the rest of the page. */
  function box_of(element, others) {
    const outside = [...others, find("description"), find("next"), find("video"), panel.host];
    const foreign = outside.filter((other) => other && other !== element);
    let box = element;
    while (box.parentElement && !foreign.some((other) => box.parentElement.contains(other))) box = box.parentElement;
    return box;
  }

  function shown_comments() {
    const everything = all_comments();
    const first_level = all("comment_text");
    return everything.map((element) => {
      const box = box_of(element, everything);
      const name = find("commenter", box);
      const link = name?.closest("a") ?? name?.querySelector("a");
      return {
        handle: link?.getAttribute("href")?.match(/\/@([^/?#]+)/)?.[1] ?? text_of(name),
        text: text_of(element),
        likes: text_of(find("comment_likes", box)),
        time: text_of(find("comment_time", box)),
        replies: first_level.includes(element) ? shown_replies(box_of(element, first_level)) : "",
      };
    });
  }

  /** The number of replies of a comment: open ones and those that buttons announce; "" without replies. */
  function shown_replies(thread) {
    const counts = all("more_replies", thread).map((button) => button.textContent.match(/\d+(?:[.,]\d+)*[KMB]?/i)?.[0]);
    const promised = counts.filter(Boolean);
    const rounded = promised.find((count) => exact(count) === null); // "1.2K" is kept as shown
    const open = all("reply_text", thread).length;
    return rounded ?? String(promised.reduce((sum, count) => sum + exact(count), open) || "");
  }

  // ---------------------------------------------------------------- data of the app

  /** Collect videos and comments from any data of the site, at any depth. */
  function harvest(node, depth = 0) {
    if (!node || typeof node !== "object" || depth > MAX_DEPTH) return;
    if (ID.test(node.id) && "desc" in node && (node.video || node.imagePost)) {
      known.items.set(String(node.id), { ...known.items.get(String(node.id)), ...node });
    } else if (ID.test(node.cid) && ID.test(node.aweme_id) && "text" in node) {
      const of_video = known.comments.get(String(node.aweme_id)) ?? new Map();
      known.comments.set(String(node.aweme_id), of_video.set(String(node.cid), node));
    }
    for (const child of Object.values(node)) harvest(child, depth + 1);
  }

  const harvest_page = (page) => harvest_scripts((name) => page.getElementById(name)?.textContent);

  function harvest_scripts(script_named) {
    for (const name of PAGE_DATA) {
      const script = script_named(name) ?? "";
      attempt(() => harvest(JSON.parse(script)));
      known.web_id ??= script.match(/"wid":"([0-9]+)"/)?.[1] ?? null;
    }
  }

  /** Read the answers to the requests of the app. Return the function that ends this. */
  function read_answers() {
    const plain_fetch = window.fetch;
    const plain_open = XMLHttpRequest.prototype.open;
    let active = true;
    const reading_fetch = function (...args) {
      const answer = plain_fetch.apply(this, args);
      const read_answer = async (response) => {
        if (active && ANSWERS.test(response.url)) harvest(await response.clone().json());
      };
      Promise.resolve(answer).then(read_answer).catch(() => {}); // the app handles errors in an answer
      return answer;
    };
    const reading_open = function (...args) {
      this.addEventListener("load", () => {
        if (!active || !ANSWERS.test(this.responseURL)) return;
        attempt(() => harvest(this.responseType === "json" ? this.response : JSON.parse(this.responseText)));
      });
      return plain_open.apply(this, args);
    };
    attempt(() => (window.fetch = reading_fetch)); // a page may forbid it: then only its visible data is available
    attempt(() => (XMLHttpRequest.prototype.open = reading_open));
    return () => {
      active = false; // if other code has wrapped these functions, they must stay
      if (window.fetch === reading_fetch) window.fetch = plain_fetch;
      if (XMLHttpRequest.prototype.open === reading_open) XMLHttpRequest.prototype.open = plain_open;
    };
  }

  /** Read the page of this video. Its scripts do not run. */
  async function look_up(id, longest_ms) {
    const name = location.pathname.match(/\/@([^/]+)/)?.[1] ?? text_of(find("username")) ?? "";
    const kind = location.pathname.includes("/photo/") ? "photo" : "video";
    try {
      const response = await fetch(`/@${name}/${kind}/${id}`, { signal: AbortSignal.timeout(longest_ms) });
      const source = await response.text();
      // the site's policy may forbid parsing
      const page = attempt(() => new DOMParser().parseFromString(source, "text/html"));
      if (page) harvest_page(page);
      else harvest_scripts((name) => script_in(source, name));
    } catch (error) {
      console.debug("the page of the video could not be read", error);
    }
  }

  const script_in = (source, name) =>
    source.match(new RegExp(`<script[^<>]*\\sid="${name}"[^<>]*>(.*?)</script`, "is"))?.[1];

  // ---------------------------------------------------------------- the record

  /** How the value of each key of a record is read from a video `v`. A failure affects only its value. */
  const VALUES = {
    "video-src": (v) => v.videos[0] ?? (v.slides.length ? undefined : v.film),
    "video-srcs": (v) => v.videos,
    "coverphoto-src": (v) => cover_addresses(v)[0],
    "coverphoto-srcs": cover_addresses,
    "slides-src": (v) => v.slides,
    "permalink": permalink,
    "web-id": (v) => new URL(permalink(v)).searchParams.get("web_id") ?? known.web_id,
    "id": (v) => v.id,
    "like-count": (v) => shown_value(v, "likes", stat(v.item, "diggCount")),
    "like-count-exact": (v) => stat(v.item, "diggCount") ?? exact(shown_value(v, "likes")),
    "comment-count": (v) => shown_value(v, "comment_count", stat(v.item, "commentCount")),
    "comment-count-exact": (v) => stat(v.item, "commentCount") ?? exact(shown_value(v, "comment_count")),
    "play-count": (v) => stat(v.item, "playCount"),
    "share-count": (v) => stat(v.item, "shareCount"),
    "creator-username": (v) => at_sign(username(v)),
    "creator-nickname": (v) => first(nickname_and_time(v)[0], v.item.author?.nickname, v.item.nickname),
    "time-posted": (v) => first(nickname_and_time(v)[1], posted(v)?.slice(0, 10)),
    "time-posted-iso": posted,
    "music-title": (v) => shown_value(v, "music", music_title(v.item.music)),
    "music-src": (v) => first(v.is_trusted ? find("music")?.href : null, music_link(v.item.music)),
    "description": description,
    "hashtags": hashtags,
    "captions": captions,
    "comments": comments,
    "scrape-timestamp": () => Date.now() / 1000,
  };

  function make_record(id, before, settings) {
    const item = known.items.get(id) ?? {};
    const v = { id, item, before, settings, is_trusted: is_trusted(id, before) };
    v.slides = attempt(() => slide_addresses(v)) ?? [];
    const addresses = play_addresses(id);
    v.film = on_screen(v, player_of(id)?.querySelector("video") ?? find("video"), addresses.length > 0);
    v.videos = links(addresses, v.film);
    const record = {};
    for (const [key, read] of Object.entries(VALUES)) record[key] = attempt(() => read(v)) ?? null;
    const none_expected = v.slides.length ? ["video-src"] : [];
    record.missing = Object.keys(record).filter((key) => record[key] === null && !none_expected.includes(key));
    for (const key of LISTS) record[key] ??= [];
    return record;
  }

  /** The value on the panel, if it is about this video. Data comes first if the panel has not changed. */
  function shown_value({ is_trusted, before }, name, of_data = null) {
    const text = is_trusted ? text_of(find(name)) : null;
    return text === before.values[name] ? first(of_data, text) : first(text, of_data);
  }

  /** The address of an element of this video: in its player, or else new on the screen without a better one. */
  function on_screen({ id, before, is_trusted }, element, is_known) {
    const source = source_of(element);
    if (player_of(id)?.contains(element)) return source;
    const is_of_another = element?.closest(SELECTORS.player.join());
    return is_trusted && !is_known && !is_of_another && !before.screen.has(source) ? source : undefined;
  }

  const links = (...values) => [...new Set(values.flat(3).filter((v) => typeof v === "string" && /^https?:/i.test(v)))];

  /** The addresses of the video, best first; the one with the watermark last. */
  function play_addresses(id) {
    const video = known.items.get(id)?.video ?? {};
    const rates = [...(video.bitrateInfo ?? [])].sort((a, b) => (b.Bitrate ?? 0) - (a.Bitrate ?? 0));
    const by_rate = rates.map((rate) => rate.PlayAddr?.UrlList);
    return links(video.playAddr, video.PlayAddrStruct?.UrlList, by_rate, video.downloadAddr);
  }

  function slide_addresses({ item: { imagePost, video }, ...v }) {
    const of_data = (imagePost?.images ?? []).map((image) => links(image.imageURL?.urlList)[0]);
    const is_film = !location.pathname.includes("/photo/") && (video || find("video")); // the feed may be slides too
    return links(of_data.length || is_film ? of_data : all("slides").map((image) => on_screen(v, image)));
  }

  function cover_addresses(v) {
    const { originCover, cover, dynamicCover, zoomCover } = v.item.video ?? {};
    const of_data = links(originCover, cover, v.item.imagePost?.cover?.imageURL?.urlList);
    const rest = links(v.slides[0], Object.values(zoomCover ?? {}), dynamicCover);
    const poster = player_of(v.id)?.querySelector("video")?.poster;
    const found = links(of_data, on_screen(v, find("cover"), of_data.length > 0), poster, rest);
    return found.length ? found : undefined;
  }

  function permalink({ id, slides, ...v }) {
    const given = [text_of(find("link")) ?? "", location.href];
    const made = `${SITE}/@${encodeURIComponent(username(v) ?? "")}/${slides.length ? "photo" : "video"}/${id}`;
    return given.find((link) => link.startsWith(`${SITE}/`) && link.match(ID_IN_LINK)?.[1] === id) ?? made;
  }

  function username({ item, is_trusted }) {
    const of_data = typeof item.author === "string" ? item.author : item.author?.uniqueId;
    const of_address = location.pathname.match(/\/@([^/]+)/)?.[1];
    return first(is_trusted ? text_of(find("username")) : null, of_data, of_address && decodeURIComponent(of_address));
  }

  function nickname_and_time({ is_trusted }) {
    const parts = (is_trusted ? text_of(find("nickname_and_time")) : null)?.split("·") ?? [];
    const time = parts.length > 1 ? parts.pop().trim() : undefined;
    return [parts.length ? parts.join("·").trim() : undefined, time];
  }

  function posted({ id, item }) {
    return iso_time(item.createTime) ?? iso_time(Number(BigInt(id) >> 32n)); // the upper half of an id is its time in seconds
  }

  function description({ item, is_trusted }) {
    return first(item.desc, is_trusted ? text_of(find("description")) : null);
  }

  function hashtags(v) {
    const { textExtra, challenges } = v.item;
    const named = [...(textExtra ?? []).map((tag) => tag.hashtagName), ...(challenges ?? []).map((tag) => tag.title)];
    const written = [...(description(v) ?? "").matchAll(/#([\p{L}\p{M}\p{N}_]+)/gu)].map((match) => match[1]);
    const tags = [...named, ...written].filter((tag) => tag && typeof tag === "string");
    const seen = new Set();
    return tags.filter((tag) => !seen.has(tag.toLowerCase()) && seen.add(tag.toLowerCase()));
  }

  const music_title = (music) => [music?.title, music?.authorName].filter(Boolean).join(" - ") || undefined;

  function music_link(music) {
    const slug = (music?.title ?? "").replace(/[^\p{L}\p{N}]+/gu, "-").replace(/^-|-$/g, "") || "music";
    return ID.test(music?.id) ? `${SITE}/music/${encodeURIComponent(slug)}-${music.id}` : undefined;
  }

  function captions({ id, item }) {
    if (!known.items.has(id)) return undefined; // unknown whether there are any
    const infos = (item.video?.subtitleInfos ?? []).filter(({ Url }) => links(Url).length);
    return infos.map((info) => {
      return { language: info.LanguageCodeName, source: info.Source, url: info.Url, format: info.Format };
    });
  }

  /** The comments on the page, completed from the data, then those that are only in the data. */
  function comments({ id, before, settings, is_trusted }) {
    const in_link = (handle) => String(handle).split(/[/?#]/)[0]; // the part of a handle that a link can contain
    const key = (handle, text) => `${in_link(handle)}\n${String(text).replace(/\s+/g, "")}`;
    const answered = [...(known.comments.get(id)?.values() ?? [])];
    const unseen = new Map(answered.map((data) => [key(data.user?.unique_id, data.text), data]));
    const seen = is_trusted && has_new_comments(before) ? shown_comments() : []; // else those of the previous video
    const found = seen.map((comment) => {
      const data = unseen.get(key(comment.handle, comment.text)) ?? {};
      unseen.delete(key(comment.handle, comment.text));
      return comment_record(comment, data);
    });
    const is_reply = (data) => !["0", ""].includes(String(data.reply_id ?? ""));
    const wanted = [...unseen.values()].filter((data) => settings.replies || !is_reply(data));
    found.push(...wanted.map((data) => comment_record({}, data)));
    return found.length || has_no_comments(id, is_trusted) ? found.slice(0, MAX_COMMENTS) : undefined;
  }

  function comment_record({ handle, text, likes, time, replies }, data) {
    const posted_iso = iso_time(data.create_time);
    const replies_exact = whole(data.reply_comment_total) ?? whole(replies || 0);
    return {
      "commenter-username": at_sign(first(handle, data.user?.unique_id)),
      "comment-text": first(text, data.text),
      "like-count": first(likes, whole(data.digg_count)),
      "like-count-exact": whole(data.digg_count) ?? exact(likes),
      "time-posted": first(time, posted_iso?.slice(0, 10)),
      "time-posted-iso": posted_iso,
      "replies-count": replies || String(replies_exact || ""),
      "replies-count-exact": replies_exact,
    };
  }

  const at_sign = (name) => (name ? `@${name.replace(/^@/, "")}` : name); // the form of names in the script of 2022
  const whole = (value) => (/^[0-9]+$/.test(String(value ?? "")) ? Number(value) : null);

  /** "1,234" is exact; "20.2K" is not, and "12,3" is not a count in this language. */
  const exact = (count) => (/^\d{1,3}(,\d{3})+$|^\d+$/.test(count ?? "") ? whole(count.replaceAll(",", "")) : null);
  const stat = (item, name) => whole(item.stats?.[name]) ?? whole(item.statsV2?.[name]);

  function iso_time(unix_s) {
    const date = new Date(Number(unix_s || NaN) * 1000);
    const possible = date.getFullYear() > 2013 && date.getTime() < Date.now() + 86_400_000; // the site exists since 2014
    return possible ? date.toISOString() : null;
  }

  /** The first non-empty value as text; "" if an element is empty, null if there is none. */
  function first(...values) {
    const texts = values.filter((value) => ["string", "number"].includes(typeof value)).map(String);
    return texts.find((text) => text) ?? texts[0] ?? null;
  }

  /** The result of `reading`, or undefined: a change of the site loses one value only. */
  function attempt(reading) {
    try {
      return reading();
    } catch {
      return undefined;
    }
  }

  // ---------------------------------------------------------------- keeping the batch

  function kept_keys() {
    return attempt(() => Object.keys(sessionStorage).filter((key) => key.startsWith(STORE)).sort()) ?? [];
  }

  function kept_records() {
    const keys = kept_keys().filter((key) => ID.test(key.slice(STORE.length)));
    return keys.map((key) => attempt(() => JSON.parse(sessionStorage.getItem(key)))).filter((record) => record?.id);
  }

  function is_kept_as_finished() {
    return kept_keys().includes(`${STORE}finished`);
  }

  function finish() {
    batch.finished = true;
    attempt(() => sessionStorage.setItem(`${STORE}finished`, "yes"));
  }

  function forget() {
    for (const key of kept_keys()) sessionStorage.removeItem(key);
    batch = { records: [], finished: false };
  }

  /** One key per record, so that a full store loses only the records that no longer fit. */
  function keep(record, number) {
    const last = kept_keys().findLast((key) => ID.test(key.slice(STORE.length)))?.slice(STORE.length);
    number = Math.max(number, Number(last ?? 0) + 1); // after a reload there may be gaps: never overwrite a record
    try {
      sessionStorage.setItem(STORE + String(number).padStart(8, "0"), JSON.stringify(record));
    } catch (error) {
      if (run.may_keep) save_batch(); // at once, and only once
      run.may_keep = false;
      console.warn("the browser storage is full; a reload would lose records that are not in a saved file:", error.message);
    }
  }

  // ---------------------------------------------------------------- the panel

  const panel = { host: null };

  const STYLE = `
    :host { position: fixed; left: 12px; bottom: 12px; z-index: 2147483647; }
    section { display: flex; gap: 6px; align-items: center; max-width: 430px; padding: 8px 10px; border-radius: 8px;
      background: #1f2328; color: #fff; font: 13px/1.35 system-ui, sans-serif; box-shadow: 0 2px 10px #0006; }
    p { margin: 0; flex: 1; min-width: 90px; overflow-wrap: anywhere; }
    button, input { font: inherit; color: #fff; background: #3a4149; border: 1px solid #7d8590; border-radius: 5px;
      padding: 3px 8px; }
    input { width: 46px; } button:hover { background: #4b535c; } [hidden] { display: none; }
    :focus-visible { outline: 2px solid #6cb6ff; outline-offset: 1px; }`;

  /** Draw or update the panel. It is in a shadow tree, so the styles of the page do not affect it. */
  function draw_panel() {
    if (!panel.host?.isConnected) build_panel();
    panel.start.hidden = panel.count.hidden = Boolean(run);
    panel.stop.hidden = !run;
    panel.stop.disabled = Boolean(run?.stopping);
  }

  function build_panel() {
    document.getElementById("tiktok-retrieval-panel")?.remove();
    panel.host = make("div", { id: "tiktok-retrieval-panel" });
    const root = panel.host.attachShadow({ mode: "open" });
    const sheet = new CSSStyleSheet(); // the content security policy of the page may forbid a <style> element
    sheet.replaceSync(STYLE);
    root.adoptedStyleSheets = [sheet];
    panel.status = make("p", { role: "status", textContent: "Ready" });
    panel.count = make("input", { type: "number", min: 1, value: 20, ariaLabel: "How many videos" });
    const start = () => scrape_tiktoks(Number(panel.count.value)).catch((error) => report(error.message));
    panel.start = make("button", { textContent: "Start", onclick: start });
    panel.stop = make("button", { textContent: "Stop", onclick: stop_scraping });
    panel.save = make("button", { textContent: "Save", onclick: save_batch });
    const hide = make("button", { textContent: "✕", ariaLabel: "Hide this panel" });
    hide.onclick = () => panel.host.remove();
    const section = make("section", { ariaLabel: "Scraper" });
    section.append(panel.status, panel.count, panel.start, panel.stop, panel.save, hide);
    // the site has keyboard shortcuts: typing here must not like a video or move on
    const keep_in = (event) => event.stopPropagation();
    for (const kind of ["keydown", "keyup", "keypress"]) section.addEventListener(kind, keep_in);
    root.append(section);
    document.body.append(panel.host);
  }

  const make = (tag, properties) => Object.assign(document.createElement(tag), properties);

  function report(message) {
    console.info(message);
    if (panel.status) panel.status.textContent = message;
    if (panel.host?.isConnected) draw_panel();
  }

  const sleep = (ms) => new Promise((resolve) => setTimeout(resolve, ms));

  window.stop_scraping?.(); // of an earlier paste: only one run per page
  Object.assign(window, { scrape_tiktoks, extract_tiktok_information, stop_scraping, save_batch, clear_batch });
  draw_panel();
  const kept = batch.finished ? 0 : batch.records.length;
  report(kept ? `${kept} videos kept: Start resumes with them` : "Ready: results = await scrape_tiktoks(20)");
})();
