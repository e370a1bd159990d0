// Puts the page together: one connection feeds inbox, toasts and timeline.

import { Api } from "./api.js";
import { Connection } from "./connection.js";
import { Inbox } from "./inbox.js";
import { InboxPanel } from "./inbox-panel.js";
import { Poll } from "./poll.js";
import { Providers } from "./providers.js";
import { Sender } from "./send.js";
import { Timeline } from "./timeline.js";
import { Toasts } from "./toasts.js";
import { setText } from "./dom.js";

const config = JSON.parse(document.getElementById("tocsin-config").textContent);
const autoConfirm = document.getElementById("auto-confirm");

const api = new Api(config);
const toasts = new Toasts();
const connection = new Connection(config.ws_url);
const inbox = new Inbox(api, (frame) => connection.send(frame));
const panel = new InboxPanel({ onOpen: () => inbox.see() });

const HANDLERS = {
  ready: (frame) => inbox.ready(frame),
  event: onEvent,
  "event.read": onElsewhere,
  "event.archived": onElsewhere,
  "event.seen": (frame) => inbox.mirror(frame.type, frame.event_ids),
  "event.cancelled": (frame) => toasts.remove(frame.event_ids),
  error: (frame) => toasts.error("The server refused a frame", frame.detail || frame.code),
};

function onEvent(frame) {
  if (inbox.add(frame)) toasts.event(frame);
  if (frame.seq !== undefined) confirm([frame.event_id]);
}

function onElsewhere(frame) {
  toasts.remove(frame.event_ids);
  inbox.mirror(frame.type, frame.event_ids);
}

/** Say that this page has shown them: also for a repeated frame, since the server still waits for it. */
function confirm(eventIds) {
  if (isSilent() || eventIds.length === 0) return;
  connection.send({ type: "ack", event_ids: eventIds });
}

function isSilent() {
  return autoConfirm !== null && !autoConfirm.checked;
}

/** A snapshot shows events too. Those that are still waiting were missed, and are confirmed now. */
function onSnapshot(items) {
  confirm(items.filter((item) => item.state?.toLowerCase() === "accepted").map((item) => item.event_id));
}

function onState(state) {
  const pill = document.getElementById("connection-state");
  pill.dataset.state = state.replace(" ", "-");
  setText(pill, state);
  if (state === "signed out") api.toLogin();
  if (state === "origin refused") toasts.error("Origin refused", "This address may not open live connections. Reload from an allowed one.");
}

function onProblem(event) {
  const error = event.detail;
  const title = error.body?.title ?? "The server could not be reached";
  toasts.error(title, error.name === "TimeoutError" ? "It took longer than 10 s to answer." : error.message);
}

function describeSilence() {
  const note = isSilent()
    ? "Silent: events are shown, not confirmed. After the deadline the next channel is tried."
    : "The page says what it has shown; that is evidence CLIENT.";
  setText(document.getElementById("auto-confirm-note"), note);
}

/** The demo's own panels. They are not in the page where the demo is off. */
function startDemo() {
  const sender = new Sender(api, config.samples ?? []);
  const timeline = new Timeline(api);
  const polls = [[new Poll(() => timeline.refresh()), "timeline-note"]];
  if (config.sandbox) {
    const providers = new Providers(api);
    providers.addEventListener("problem", onProblem);
    polls.push([new Poll(() => providers.refresh()), "providers-note"]);
  }
  const refresh = () => polls.forEach(([poll]) => poll.soon());
  timeline.addEventListener("change", ({ detail }) => sender.follow(detail));
  sender.addEventListener("problem", onProblem);
  sender.addEventListener("sent", refresh);
  connection.addEventListener("frame", refresh);
  for (const [poll, noteId] of polls) watchHealth(poll, document.getElementById(noteId));
  autoConfirm.addEventListener("change", describeSilence);
  describeSilence();
  refresh();
}

/** A poll that fails is said beside its panel's title; a toast every second would help nobody. */
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
connection.addEventListener("state", ({ detail }) => onState(detail));
connection.addEventListener("frame", ({ detail }) => HANDLERS[detail.type]?.(detail));
if (document.getElementById("timeline-list")) startDemo();
inbox.takeSnapshot(); // the inbox is there even when no live connection is
connection.open();
