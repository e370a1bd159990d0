// Handlers by type. One that fails is reported, and does not keep the others from theirs.

export class Emitter {
  #handlers = new Map();

  /** Call `handler` for every `type` from now on. Return a function that ends it. */
  on(type, handler) {
    if (typeof handler !== "function") throw new TypeError(`on("${type}", …) needs a function.`);
    const entry = { handler }; // the same function may be given twice
    if (!this.#handlers.has(type)) this.#handlers.set(type, new Set());
    this.#handlers.get(type).add(entry);
    return () => void this.#handlers.get(type).delete(entry);
  }

  /**
   * Call the handlers, all of them now and in the order they came. Resolves to whether `detail` was taken:
   * there was a handler, and each returned, or its promise resolved.
   */
  async emit(type, detail) {
    const entries = [...(this.#handlers.get(type) ?? [])];
    const outcomes = await Promise.allSettled(entries.map(async ({ handler }) => handler(detail)));
    const failed = outcomes.filter(({ status }) => status === "rejected");
    for (const { reason } of failed) this.report(reason, type);
    return entries.length > 0 && failed.length === 0;
  }

  /** Hand an error to the "problem" handlers, or to the console where there is none. */
  report(error, type = "") {
    const listened = type !== "problem" && this.#handlers.get("problem")?.size;
    if (listened) void this.emit("problem", error);
    else console.error("tocsin:", error);
  }
}
