// Connects the parts of the page: one client feeds inbox, toasts and timeline.

import { Api } from "./api.js";
import { Inbox } from "./inbox.js";
import { InboxPanel } from "./inbox-panel.js";
import { Poll } from "./poll.js";
import { Chat } from "./chat.js";
import { Providers } from "./providers.js";
import { Sender } from "./send.js";
import { Timeline } from "./timeline.js";
import { Toasts } from "./toasts.js";
import { setText } from "./dom.js";
import { keyOf } from "../tocsin/naming.js";
import { connect } from "../tocsin/tocsin.js";

const config = JSON.parse(document.getElementById("tocsin-config").textContent);
const autoConfirm = document.getElementById("auto-confirm");

const api = new Api(config);
const toasts = new Toasts({ onAcknowledge: (event) => inbox.acknowledge(event) });
const client = connect({ url: config.ws_url, person: config.person, confirm: () => !isSilent() });
const inbox = new Inbox(api, client);
const panel = new InboxPanel({ onOpen: () => inbox.see() });

const HANDLERS = {
  ready: (frame) => inbox.ready(frame),
  event: (frame) => inbox.add(frame) && !frame.silent && toasts.event(frame),
  snapshot: () => inbox.takeSnapshot(),
  "event.read": onElsewhere,
  "event.archived": onElsewhere,
  "event.acknowledged": onElsewhere,
  "event.seen": (frame) => inbox.mirror(frame.type, keysOf(frame)),
  error: (frame) => toasts.error("The server refused a frame", frame.detail || frame.code),
  state: onState,
  role: onRole,
};

function keysOf({ source, event_ids: ids }) {
  return ids.map((id) => keyOf({ source, event_id: id }));
}

function onElsewhere(frame) {
  toasts.remove(keysOf(frame));
  inbox.mirror(frame.type, keysOf(frame));
}

function isSilent() {
  return autoConfirm !== null && !autoConfirm.checked;
}

/** A snapshot shows events too: confirm those that still wait for a confirmation. */
function onSnapshot(items) {
  const waiting = items.filter((item) => item.state?.toLowerCase() === "accepted");
  client.shown(waiting);
}

function onState(state) {
  const pill = document.getElementById("connection-state");
  pill.dataset.state = state.replace(" ", "-");
  setText(pill, state);
  if (state === "signed out") api.toLogin();
  if (state === "origin refused") toasts.error("Origin refused", "Live connections are not allowed from this address. Reload the page from an allowed one.");
}

function onRole(role) {
  document.getElementById("connection-state").title =
    role === "follower" ? "Connected through another tab" : role === "leader" ? "Other tabs share this tab's connection" : "";
}

function onProblem(event) {
  const error = event.detail;
  const title = error.body?.title ?? "The server could not be reached";
  toasts.error(title, error.name === "TimeoutError" ? "The server took longer than 10 s to answer." : error.message);
}

function describeSilence() {
  const note = isSilent()
    ? "Silent: events are shown, not confirmed. After the deadline Tocsin uses the next channel."
    : "The page confirms the events that it has shown: evidence CLIENT.";
  setText(document.getElementById("auto-confirm-note"), note);
}

/** Start the demo's panels, which exist only where the demo is on. */
function startDemo() {
  const sender = new Sender(api, config.samples ?? []);
  const timeline = new Timeline(api);
  const polls = [[new Poll(() => timeline.refresh()), "timeline-note"]];
  if (config.sandbox) {
    const providers = new Providers(api);
    providers.addEventListener("problem", onProblem);
    polls.push([new Poll(() => providers.refresh()), "providers-note"]);
    const chat = new Chat(api);
    chat.addEventListener("problem", onProblem);
    polls.push([new Poll(() => chat.refresh()), "chat-note"]);
  }
  const refresh = () => polls.forEach(([poll]) => poll.soon());
  timeline.addEventListener("change", ({ detail }) => sender.follow(detail));
  sender.addEventListener("problem", onProblem);
  sender.addEventListener("sent", refresh);
  client.on("frame", refresh);
  for (const [poll, noteId] of polls) watchHealth(poll, document.getElementById(noteId));
  autoConfirm.addEventListener("change", describeSilence);
  describeSilence();
  refresh();
}

/** Show a failing poll next to its panel's title: toasts would repeat every second. */
function watchHealth(poll, note) {
  const usual = note.textContent;
  poll.addEventListener("health", ({ detail: healthy }) => {
    note.classList.toggle("is-stale", !healthy);
    setText(note, healthy ? usual : "not updating");
  });
}

inbox.addEventListener("change", ({ detail }) => panel.showUnread(detail.unread));
inbox.addEventListener("snapshot", ({ detail }) => onSnapshot(detail));
inbox.addEventListener("problem", onProblem);
for (const [type, handler] of Object.entries(HANDLERS)) client.on(type, handler);
if (document.getElementById("timeline-list")) startDemo();
inbox.takeSnapshot(); // the inbox works without a live connection too
