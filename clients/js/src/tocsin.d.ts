/** Where a page stands in its person's sequence. Another `epoch` means that the sequence began anew. */
export interface Position {
  seq: number;
  epoch: string;
}

export type Priority = "INFORMATIONAL" | "NORMAL" | "CRITICAL";

export interface Ready extends Position {
  type: "ready";
  /** Whether the events since our last position follow. If not, the page takes a snapshot of the inbox. */
  recovered: boolean;
  /** Missing in a tab that joined a shared connection: ask the inbox. */
  unread?: number;
}

export interface TocsinEvent {
  type: "event";
  event_id: string;
  event_type: string;
  priority: Priority;
  /** Unix ms. */
  timestamp: number;
  payload: Record<string, unknown>;
  title: string;
  body: string;
  /** Missing in INFORMATIONAL events, which are not stored and not confirmed. */
  seq?: number;
  /** Unix ms: another channel follows unless the event is confirmed by then. */
  ack_by?: number;
  /** It comes (back) to the page out of its turn, after other channels were tried. */
  repeat?: boolean;
  /** The topic that it was published to. */
  topic?: string;
  /** Further fields of a newer server. */
  [name: string]: unknown;
}

/** An item of the inbox, as in a snapshot and in `GET /api/v1/users/me/inbox`. */
export interface InboxItem {
  seq: number;
  event_id: string;
  event_type: string;
  priority: Priority;
  timestamp: number;
  title: string;
  body: string;
  payload: Record<string, unknown>;
  state: string;
  seen: boolean;
  read: boolean;
  /** The topic that it was published to; empty for an event to the person alone. */
  topic: string;
  [name: string]: unknown;
}

export interface Snapshot {
  type: "snapshot";
  /** The newest items. */
  items: InboxItem[];
}

export interface Ids<Type extends string> {
  type: Type;
  event_ids: string[];
}

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

/** Whether this tab has the connection, gets its events from the tab that has, or shares nothing. */
export type Role = "leader" | "follower" | "alone";

export interface Events {
  ready: Ready;
  /** Confirmed when every handler has returned, or its promise has resolved. */
  event: TocsinEvent;
  snapshot: Snapshot;
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
  /** A handler failed, a credentials callback failed, or the server sent something odd. */
  problem: unknown;
}

/** A token or ticket, or who fetches one. Without one (null): signed out. */
export type Credential = string | (() => string | null | undefined | Promise<string | null | undefined>);

/** A list or a set; a string alone is a mistake, and refused. */
export type Names = readonly string[] | ReadonlySet<string>;

export interface Clock {
  now(): number;
  setTimeout(callback: () => void, ms: number): unknown;
  clearTimeout(timer: unknown): void;
}

export interface PageEnvironment {
  isOnline(): boolean;
  /** Call `onWake` when the network or the person is back; return a function that ends it. */
  watch(onWake: () => void): () => void;
}

export interface Options {
  /** `/ws`, or a whole address; http and https are turned into ws and wss. */
  url: string | URL;
  /** A JWT. A function is asked anew before it ends and after a refusal. */
  token?: Credential;
  /** A single-use ticket. Give a function: each connection needs a new one. */
  ticket?: Credential;
  /** What presence shows, at most 80 characters. Only with token or ticket. */
  device?: string;
  /** Whose events these are: any name that is the person's alone. Without it nothing is shared between tabs. */
  person?: string;
  /** Where the position is kept; sessionStorage unless given. `null`: a reload begins anew. */
  storage?: Pick<Storage, "getItem" | "setItem"> | null;
  /** Subscribed at the start. */
  topics?: Names;
  /** Whether the tabs of this browser share one connection. True unless given. */
  share?: boolean;
  /** Whether events that the page took are confirmed. True unless given. */
  confirm?: boolean | (() => boolean);
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
  /** Call `handler` for each; the function that is returned ends it. */
  on<Type extends keyof Events>(type: Type, handler: (detail: Events[Type]) => unknown): () => void;
  on(type: string, handler: (frame: AnyFrame) => unknown): () => void;
  /** Say that this page has these events, beyond those that its handlers took. */
  confirm(eventIds: Names): void;
  /** The person has acknowledged it: evidence HUMAN. */
  acknowledge(eventId: string): void;
  seen(eventIds: Names): void;
  read(eventIds: Names): void;
  archive(eventIds: Names): void;
  subscribe(topics: Names): void;
  unsubscribe(topics: Names): void;
  /** End it. Nothing is sent or handed over after this. */
  close(): void;
}

/** Connect, and stay connected until `close`. Throws TypeError for options that make no sense. */
export function connect(options: Options): Client;
