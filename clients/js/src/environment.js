// The client's environment. Each part may be passed to `connect`; tests pass their own.

export const systemClock = {
  now: () => Date.now(),
  setTimeout: (callback, ms) => setTimeout(callback, ms),
  clearTimeout: (timer) => clearTimeout(timer),
};

const NETWORK = ["online", "offline"];

export const browserPage = {
  isOnline: () => globalThis.navigator?.onLine !== false,

  isHidden: () => globalThis.document?.hidden === true,

  /** Call `onWake` when the network comes or goes, or the person is back. Return a function that ends it. */
  watch(onWake) {
    const visible = () => globalThis.document.hidden || onWake();
    for (const change of NETWORK) globalThis.addEventListener?.(change, onWake);
    globalThis.document?.addEventListener("visibilitychange", visible);
    return () => {
      for (const change of NETWORK) globalThis.removeEventListener?.(change, onWake);
      globalThis.document?.removeEventListener("visibilitychange", visible);
    };
  },
};

/** Return the tab's storage, or null if the browser forbids it. */
export function tabStorage() {
  try {
    return globalThis.sessionStorage ?? null;
  } catch {
    return null;
  }
}
