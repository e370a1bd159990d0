// How frames name events. Event ids are unique per source only, so an event is named by both.

const IDS_PER_FRAME = 500;
const TOPICS_PER_FRAME = 100;
const ID_BYTES = 200;
const NO_TEXT = /[\0\ud800-\udfff]/u; // refused by the server, together with all ids of its frame
const SOURCES_AT_ONCE = 10;
const LIST_BYTES = 48 * 1024; // the server takes frames of 64 KiB

/** Return a key that no other event of the person has. */
export function keyOf({ source = "", event_id: id }) {
  return `${source}\n${id}`;
}

/** Return the fields that name one event: given as an event, an item of the inbox, or an id alone. */
export function nameOf(event) {
  const { source, event_id: id } = typeof event === "string" ? { event_id: event } : event;
  const valid = typeof id === "string" && id && bytes(id) <= ID_BYTES && !NO_TEXT.test(id);
  if (!valid) throw new TypeError(`${JSON.stringify(id)} is not the id of an event.`);
  return { ...(source && { source }), event_id: id };
}

/** Return frames of `type` that name these events, each below the server's limits. */
export function framesNaming(type, events) {
  const bySource = new Map();
  for (const { source, event_id: id } of listed(events).map(nameOf)) {
    if (!bySource.has(source)) bySource.set(source, []);
    bySource.get(source).push(id);
  }
  return [...bySource].flatMap(([source, ids]) =>
    parts(ids, IDS_PER_FRAME).map((part) => ({ type, ...(source && { source }), event_ids: part })),
  );
}

/** Return frames of `type` with these topics. */
export function framesOfTopics(type, topics) {
  return parts(listed(topics), TOPICS_PER_FRAME).map((part) => ({ type, topics: part }));
}

/** Confirmations that travel together: one frame for each source. */
export class Acks {
  #bySource = new Map();
  #bytes = 0;

  /** Add those of `frame`. Return false, and add none, if they do not fit. */
  add({ source, event_ids: ids }) {
    const gathered = this.#bySource.get(source) ?? new Set();
    const size = ids.reduce((sum, id) => sum + sizeOf(id), 0);
    const first = this.#bySource.size === 0;
    if (!first && this.#bytes + size > LIST_BYTES) return false;
    if (!first && gathered.size + ids.length > IDS_PER_FRAME) return false;
    if (!this.#bySource.has(source) && this.#bySource.size >= SOURCES_AT_ONCE) return false;
    for (const id of ids) gathered.add(id);
    this.#bySource.set(source, gathered);
    this.#bytes += size;
    return true;
  }

  get frames() {
    const filled = [...this.#bySource].filter(([, ids]) => ids.size);
    return filled.map(([source, ids]) => ({ type: "ack", ...(source && { source }), event_ids: [...ids] }));
  }
}

function listed(names) {
  if (typeof names === "string") throw new TypeError("Give a list of events, ids or topics, not one string.");
  return [...names];
}

/** Return `texts` in parts of at most `count`, and of at most `LIST_BYTES` as JSON. */
function parts(texts, count) {
  const found = [];
  let size = 0;
  for (const text of texts) {
    const more = sizeOf(text);
    const last = found.at(-1);
    if (!last || last.length >= count || size + more > LIST_BYTES) {
      found.push([text]);
      size = more;
    } else {
      last.push(text);
      size += more;
    }
  }
  return found;
}

/** Return the bytes of a text in a list in JSON. */
function sizeOf(text) {
  return bytes(JSON.stringify(text)) + 1;
}

function bytes(text) {
  return new TextEncoder().encode(text).length;
}
