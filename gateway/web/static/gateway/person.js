// The signed-in person's pages: a socket keeps them up to date, and shows what arrives meanwhile.

import { LivePage } from "./live.js";
import { setText } from "./dom.js";
import { Toasts } from "./toasts.js";
import { keyOf } from "../tocsin/naming.js";
import { connect } from "../tocsin/tocsin.js";

const config = JSON.parse(document.getElementById("tocsin-config").textContent);
const say = (sentence) => config.sentences[sentence] ?? sentence;

const MOST_AT_ONCE = 300; // items that one request can bring up to date; then a link leads on
const AFTER_SIGN_OUT_MS = 1_000;
const STORY_EVERY_MS = 2_000;
const seen = new Set();

const page = new LivePage();
const toasts = new Toasts({ say, onAcknowledge: (event) => client.acknowledge(event) });
const client = connect({ url: config.ws_url, person: config.person });

client.on("event", (frame) => {
  if (!frame.silent) toasts.event(frame);
  page.soon();
});
client.on("ready", () => page.soon());
client.on("snapshot", () => page.soon());
for (const type of ["event.read", "event.archived", "event.acknowledged"]) {
  client.on(type, ({ source, event_ids: ids }) => {
    toasts.remove(ids.map((id) => keyOf({ source, event_id: id })));
    page.soon();
  });
}
client.on("state", showState);
page.addEventListener("problem", () => toasts.error(say("The server could not be reached"), say("Try again.")));
page.addEventListener("change", onChange);

function showState(state) {
  const pill = document.getElementById("connection-state");
  pill.dataset.state = state.replace(" ", "-");
  setText(pill, say(state));
  // The server leads to the sign-in, or gives the page again: the password may have been changed here.
  if (state === "signed out") setTimeout(() => location.assign(location.pathname), AFTER_SIGN_OUT_MS);
}

const atTheEnd = new IntersectionObserver(([entry]) => entry.isIntersecting && loadOlder());

function loadOlder() {
  const link = document.getElementById("older-link");
  if (link && page.count < MOST_AT_ONCE) page.more(link);
}

/** What is shown was seen; a story that is open was read. */
function onChange() {
  report("[data-seen=false]", (items) => client.seen(items));
  report("#story[data-read=false]", (items) => client.read(items));
  atTheEnd.disconnect();
  const older = document.getElementById("older");
  if (older) atTheEnd.observe(older);
}

function report(selector, send) {
  const found = [...document.querySelectorAll(selector)].filter(({ dataset }) => !seen.has(`${selector} ${dataset.seq}`));
  found.forEach(({ dataset }) => seen.add(`${selector} ${dataset.seq}`));
  const named = found.map(({ dataset }) => ({ source: dataset.source, event_id: dataset.eventId }));
  if (named.length) send(named);
}

function followStory() {
  const story = document.querySelector("#story[data-final=false]");
  if (story && !document.hidden) page.refresh();
  if (story) setTimeout(followStory, STORY_EVERY_MS);
}

onChange();
setTimeout(followStory, STORY_EVERY_MS);
