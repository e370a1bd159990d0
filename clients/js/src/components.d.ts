import type { Client, InboxItem, Named, State, TocsinEvent } from "./tocsin.js";

export { connect } from "./tocsin.js";
export type * from "./tocsin.js";

export interface InboxView {
  /** The newest first. */
  readonly items: readonly InboxItem[];
  readonly unread: number;
  /** Whether `older` brings more. */
  readonly hasOlder: boolean;
  /** Whether the first page has come. */
  readonly loaded: boolean;
  readonly state: State;
}

/** The person's inbox on a page, without a view. Dispatches "change". */
export interface Inbox extends EventTarget {
  /** The same object until something changes. */
  readonly view: InboxView;
  /** Whether the person has read the event, here or elsewhere. */
  hasRead(event: InboxItem | TocsinEvent): boolean;
  refresh(): void;
  older(): void;
  /** The person has seen all that is shown. */
  seen(): void;
  read(items: readonly (InboxItem | TocsinEvent)[]): void;
  /** Mark all as read, also what is on older pages. */
  readAll(): void;
  archive(items: readonly InboxItem[]): void;
  /** The person has acknowledged it: evidence HUMAN. */
  acknowledge(event: Exclude<Named, string>): void;
}

/** Return the inbox of a client; always the same one. */
export function inboxOf(client: Client): Inbox;

declare class TocsinElement extends HTMLElement {
  /** The client whose events are shown; null before there is one. */
  get client(): Client | null;
  set client(client: Client | null);
}

export interface TocsinInboxEvents {
  /** The person opens an item. `preventDefault` keeps the browser from following its link. */
  "item-open": CustomEvent<{ item: InboxItem }>;
  "unread-change": CustomEvent<{ unread: number }>;
}

/** `<tocsin-inbox>`. Attributes: url, person, token-url, locale, theme, inline. Slots: bell, heading, empty, footer. */
export class TocsinInbox extends TocsinElement {
  readonly unread: number;
  /** Returns an element that is shown in the place of an item; null: the usual look. */
  set renderItem(render: ((item: InboxItem, inbox: Inbox) => Element) | null);
  open(): void;
  close(): void;
  addEventListener<Type extends keyof TocsinInboxEvents>(
    type: Type,
    listener: (event: TocsinInboxEvents[Type]) => void,
    options?: boolean | AddEventListenerOptions,
  ): void;
  addEventListener(
    type: string,
    listener: EventListenerOrEventListenerObject,
    options?: boolean | AddEventListenerOptions,
  ): void;
}

/** `<tocsin-toasts>`. Attributes: url, person, token-url, locale, theme. */
export class TocsinToasts extends TocsinElement {}

declare global {
  interface HTMLElementTagNameMap {
    "tocsin-inbox": TocsinInbox;
    "tocsin-toasts": TocsinToasts;
  }
}
