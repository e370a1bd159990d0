// Handlers by type. A failing handler is reported and does not affect the others.

export class Emitter {
  #handlers = new Map();

  /** Call `handler` for every `type` from now on. Return a function that ends it. */
  on(type, handler) {
    if (typeof handler !== "function") throw new TypeError(`on("${type}", …) needs a function.`);
    const entry = { handler }; // the same function may be added twice
    if (!this.#handlers.has(type)) this.#handlers.set(type, new Set());
    this.#handlers.get(type).add(entry);
    return () => void this.#handlers.get(type).delete(entry);
  }

  /**
   * Call all handlers now, in the order they were added. Resolves to whether `detail` was handled:
   * there was a handler, and each returned, or its promise resolved.
   */
  async emit(type, detail) {
    const entries = [...(this.#handlers.get(type) ?? [])];
    const outcomes = await Promise.allSettled(entries.map(async ({ handler }) => handler(detail)));
    const failed = outcomes.filter(({ status }) => status === "rejected");
    for (const { reason } of failed) this.report(reason, type);
    return entries.length > 0 && failed.length === 0;
  }

  /** Pass an error to the "problem" handlers, or to the console without any. */
  report(error, type = "") {
    const listened = type !== "problem" && this.#handlers.get("problem")?.size;
    if (listened) void this.emit("problem", error);
    else console.error("tocsin:", error);
  }
}
