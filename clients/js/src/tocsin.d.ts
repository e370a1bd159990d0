/** A page's position in its person's sequence. A different `epoch` means that a new sequence began. */
export interface Position {
  seq: number;
  epoch: string;
}

export type Priority = "INFORMATIONAL" | "NORMAL" | "CRITICAL";

export interface Ready extends Position {
  type: "ready";
  /** Whether the events since our last position follow. If not, the page needs a snapshot of the inbox. */
  recovered: boolean;
  /** Missing in a tab that joined a shared connection: read it from the inbox. */
  unread?: number;
}

/** What the producer's own words add to a title and a body. Its URLs are https and safe to link to. */
export interface OwnWords {
  /** What the event opens. */
  url?: string;
  image?: string;
  /** Buttons: to a `url`, or of kind "acknowledge". */
  actions?: { label: string; url?: string; kind?: "acknowledge" }[];
  /** `body` with its styles, as texts. */
  blocks?: Block[];
}

export interface Block {
  type: "paragraph" | "item" | "code";
  runs: { text: string; bold?: true; italic?: true; code?: true; url?: string }[];
  /** Of a part of a list, from 1. */
  depth?: number;
  /** What stands before the first part of an item; empty before its further parts. */
  marker?: string;
}

export interface TocsinEvent extends OwnWords {
  type: "event";
  /** Unique per source. */
  event_id: string;
  /** The producer. */
  source: string;
  event_type: string;
  priority: Priority;
  /** Unix ms. */
  timestamp: number;
  payload: Record<string, unknown>;
  title: string;
  /** Plain text. */
  body: string;
  /** Missing in INFORMATIONAL events, which are not stored and not confirmed. */
  seq?: number;
  /** Unix ms: another channel follows unless the event is confirmed by then. */
  ack_by?: number;
  /** The event comes (back) to the page outside the order, after other channels were tried. */
  repeat?: boolean;
  /** By the person's wishes it belongs into the inbox alone: show no toast, make no sound. */
  silent?: boolean;
  /** The topic that it was published to. */
  topic?: string;
  /** Further fields of a newer server. */
  [name: string]: unknown;
}

/** An item of the inbox, as in a snapshot and in `GET /api/v1/users/me/inbox`. */
export interface InboxItem extends OwnWords {
  seq: number;
  event_id: string;
  source: string;
  event_type: string;
  priority: Priority;
  timestamp: number;
  title: string;
  /** Plain text. */
  body: string;
  payload: Record<string, unknown>;
  state: string;
  seen: boolean;
  read: boolean;
  /** By the person: evidence HUMAN. */
  acknowledged: boolean;
  /** The topic that it was published to; empty for an event to the person alone. */
  topic: string;
  [name: string]: unknown;
}

export interface Snapshot {
  type: "snapshot";
  /** The newest items. */
  items: InboxItem[];
}

/** A page of the inbox, the newest items first: with `ready` if `inbox` was given, or asked for by `client.inbox`. */
export interface InboxPage extends Position {
  type: "inbox.page";
  /** As it was asked for; null: the newest items. */
  before: number | null;
  items: InboxItem[];
  /** `before` of the next page; null on the last one. */
  next_before: number | null;
  unread: number;
}

/** Events of one source. */
export interface Ids<Type extends string> {
  type: Type;
  source: string;
  event_ids: string[];
  /** Those of `event_ids`, in the same order. */
  seqs: number[];
}

/** An event or inbox item itself, its name, or an id alone: that works only if a single source uses it. */
export type Named = string | { event_id: string; source?: string };

export interface AnyFrame {
  type: string;
  [name: string]: unknown;
}

export type State =
  | "connecting"
  | "live"
  | "reconnecting"
  | "offline"
  /** Ended: no session, or no token that is accepted. */
  | "signed out"
  /** Ended: the server does not allow pages of this origin. */
  | "origin refused"
  | "closed";

/** Whether this tab has the connection, gets its events from the tab that has it, or shares nothing. */
export type Role = "leader" | "follower" | "alone";

export interface Events {
  ready: Ready;
  /** Confirmed when every handler has returned, or its promise has resolved. */
  event: TocsinEvent;
  snapshot: Snapshot;
  "inbox.page": InboxPage;
  "event.cancelled": Ids<"event.cancelled">;
  "event.seen": Ids<"event.seen">;
  "event.read": Ids<"event.read">;
  "event.archived": Ids<"event.archived">;
  "event.acknowledged": Ids<"event.acknowledged">;
  subscribed: { type: "subscribed"; topics: string[] };
  "auth.renewed": { type: "auth.renewed"; expires_at: number };
  shutdown: { type: "shutdown"; reconnect_after_ms: number };
  /** The server refused a frame. */
  error: { type: "error"; code: string; detail: string };
  /** Every frame but `pong`, also those that this client does not know. */
  frame: AnyFrame;
  state: State;
  role: Role;
  /** A handler failed, a credentials callback failed, or the server sent an invalid frame. */
  problem: unknown;
}

/** A token or ticket, or a function that fetches one. Without one (null): signed out. */
export type Credential = string | (() => string | null | undefined | Promise<string | null | undefined>);

/** A list or a set; a single string is refused. */
export type Names = readonly string[] | ReadonlySet<string>;

/** Events to confirm or mark; a single string is refused. */
export type NamedList = readonly Named[] | ReadonlySet<Named>;

export interface Clock {
  now(): number;
  setTimeout(callback: () => void, ms: number): unknown;
  clearTimeout(timer: unknown): void;
}

export interface PageEnvironment {
  isOnline(): boolean;
  /** Whether nobody can see the page. Missing: it is always seen. */
  isHidden?(): boolean;
  /** Call `onWake` when the network or the person is back; return a function that stops it. */
  watch(onWake: () => void): () => void;
}

export interface Options {
  /** `/ws`, or a whole address; http and https become ws and wss. */
  url: string | URL;
  /** A JWT. A function is called again before the token expires and after a refusal. */
  token?: Credential;
  /** A single-use ticket. Give a function: each connection needs a new one. */
  ticket?: Credential;
  /** A name of the device for lists of open sockets, at most 80 characters. Only with token or ticket. */
  device?: string;
  /** Identifies the person: any name unique to them. Without it nothing is shared between tabs. */
  person?: string;
  /** Storage of the position; sessionStorage by default. `null`: a reload starts without a position. */
  storage?: Pick<Storage, "getItem" | "setItem"> | null;
  /** Subscribed at the start. */
  topics?: Names;
  /** So many items of the inbox, at most 50, come with every `ready`, as "inbox.page". None by default. */
  inbox?: number;
  /** Whether the tabs of this browser share one connection. True by default. */
  share?: boolean;
  /** Whether handled events are confirmed. True by default. */
  confirm?: boolean | ((event: TocsinEvent | InboxItem) => boolean);
  /**
   * Whether an event is confirmed that is handled while the page is hidden; otherwise it is when the page is seen
   * again. By default all but CRITICAL ones are.
   */
  confirmHidden?: boolean | ((event: TocsinEvent | InboxItem) => boolean);
  WebSocket?: new (url: string) => unknown;
  clock?: Clock;
  random?: () => number;
  page?: PageEnvironment;
  locks?: Pick<LockManager, "request"> | null;
  BroadcastChannel?: new (name: string) => unknown;
}

export interface Client {
  readonly state: State;
  readonly role: Role;
  /** How many items of the inbox come with every `ready`; 0: none. */
  readonly firstItems: number;
  /** Call `handler` for each; the returned function removes it. */
  on<Type extends keyof Events>(type: Type, handler: (detail: Events[Type]) => unknown): () => void;
  on(type: string, handler: (frame: AnyFrame) => unknown): () => void;
  /** Confirm these events now, in addition to those that the handlers have processed. */
  confirm(events: NamedList): void;
  /** The page shows these, from a snapshot: confirm them as if the handlers had processed them. */
  shown(events: readonly InboxItem[]): void;
  /** The person has acknowledged it: evidence HUMAN. */
  acknowledge(event: Named): void;
  seen(events: NamedList): void;
  read(events: NamedList): void;
  archive(events: NamedList): void;
  /** Ask for a page of the inbox, which comes as "inbox.page"; at most 50 items. */
  inbox(page?: { before?: number; limit?: number }): void;
  subscribe(topics: Names): void;
  unsubscribe(topics: Names): void;
  /** End the connection. Nothing is sent or dispatched after this. */
  close(): void;
}

/** Connect, and stay connected until `close`. Throws TypeError for invalid options. */
export function connect(options: Options): Client;
