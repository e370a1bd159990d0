import type { ReactElement, ReactNode } from "react";

import type { Client, Inbox, InboxItem, InboxView, TocsinInboxEvents } from "./components.js";

interface Connection {
  /** A client of `connect`; or give `url`, `person` and `token-url`. */
  client?: Client | undefined;
  url?: string;
  person?: string;
  "token-url"?: string;
  locale?: string;
  theme?: "light" | "dark";
  className?: string;
}

export interface TocsinInboxProps extends Connection {
  inline?: boolean;
  renderItem?: (item: InboxItem, inbox: Inbox) => Element;
  onItemOpen?: (event: TocsinInboxEvents["item-open"]) => void;
  onUnreadChange?: (event: TocsinInboxEvents["unread-change"]) => void;
  /** Slots: elements with slot="bell", "heading", "empty" or "footer". */
  children?: ReactNode;
}

export function TocsinInbox(props: TocsinInboxProps): ReactElement;
export function TocsinToasts(props: Connection): ReactElement;

/** What the client's inbox shows, and what the person can do with it; `inbox` is null without a client. */
export function useInbox(client: Client | null | undefined): InboxView & { inbox: Inbox | null };
