// The components' own texts, in English, German and Chinese.

const EN = {
  inbox: "Notifications",
  bell: (unread) => (unread ? `Notifications, ${unread} unread` : "Notifications, nothing unread"),
  unread: "Unread",
  readAll: "Mark all as read",
  close: "Close",
  archive: "Archive",
  acknowledge: "Got it",
  dismiss: "Dismiss",
  older: "Show older",
  empty: "Nothing here yet",
  waiting: (count) => `${count} more`,
  now: "now",
  CRITICAL: "Critical",
  connecting: "Connecting …",
  reconnecting: "Connection lost, reconnecting …",
  offline: "You are offline",
  "signed out": "You are signed out",
  "origin refused": "This site may not show notifications",
};

const DE = {
  inbox: "Mitteilungen",
  bell: (unread) => (unread ? `Mitteilungen, ${unread} ungelesen` : "Mitteilungen, nichts ungelesen"),
  unread: "Ungelesen",
  readAll: "Alle als gelesen markieren",
  close: "Schließen",
  archive: "Archivieren",
  acknowledge: "Verstanden",
  dismiss: "Ausblenden",
  older: "Ältere zeigen",
  empty: "Noch nichts da",
  waiting: (count) => `${count} weitere`,
  now: "jetzt",
  CRITICAL: "Kritisch",
  connecting: "Verbindung wird hergestellt …",
  reconnecting: "Verbindung unterbrochen, neuer Versuch …",
  offline: "Sie sind offline",
  "signed out": "Sie sind abgemeldet",
  "origin refused": "Diese Website darf keine Mitteilungen zeigen",
};

const ZH = {
  inbox: "通知",
  bell: (unread) => (unread ? `通知，${unread} 条未读` : "通知，没有未读"),
  unread: "未读",
  readAll: "全部标为已读",
  close: "关闭",
  archive: "归档",
  acknowledge: "知道了",
  dismiss: "忽略",
  older: "显示更早的通知",
  empty: "暂无通知",
  waiting: (count) => `还有 ${count} 条`,
  now: "刚刚",
  CRITICAL: "紧急",
  connecting: "正在连接…",
  reconnecting: "连接中断，正在重新连接…",
  offline: "您已离线",
  "signed out": "您已退出登录",
  "origin refused": "此网站不能显示通知",
};

export const TEXTS = { en: EN, de: DE, zh: ZH };

/** Return the texts of a locale such as "de-CH"; English for one that there is no translation for. */
export function textsOf(locale) {
  return TEXTS[locale.toLowerCase().split(/[-_]/)[0]] ?? EN;
}

/** Return the first of these that is a locale which the browser knows; English without one. */
export function localeOf(...wanted) {
  for (const tag of wanted.filter(Boolean)) {
    try {
      const [known] = Intl.DateTimeFormat.supportedLocalesOf(tag.replaceAll("_", "-"));
      if (known) return known;
    } catch {
      // Not a locale: the next one may be.
    }
  }
  return "en";
}

const UNITS = [["day", 86_400], ["hour", 3_600], ["minute", 60]];
const WEEK_S = 604_800;

/** Return how long ago a time is, in words; after a week its date. */
export function ageOf(ms, now, locale) {
  const seconds = Math.max(0, (now - ms) / 1_000);
  if (seconds >= WEEK_S) return new Intl.DateTimeFormat(locale, { dateStyle: "medium" }).format(ms);
  const unit = UNITS.find(([, size]) => seconds >= size);
  if (!unit) return textsOf(locale).now;
  const format = new Intl.RelativeTimeFormat(locale, { numeric: "always", style: "short" });
  return format.format(-Math.floor(seconds / unit[1]), unit[0]);
}
