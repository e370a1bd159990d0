// The page's position in the person's sequence: the last seq received without a gap, and the last one that the
// handlers have processed. The second is kept in storage; a new connection resumes from it.

const BEYOND = 5_000;

/** Numbers in any order: `last` is the highest one without a missing number below it. */
class Run {
  #beyond = new Set();

  constructor(last) {
    this.last = last;
  }

  add(seq) {
    if (seq <= this.last) return;
    // With so many after a missing one, the server would answer a resume with a snapshot anyway.
    if (this.#beyond.size >= BEYOND) this.#beyond.clear();
    this.#beyond.add(seq);
    while (this.#beyond.delete(this.last + 1)) this.last += 1;
  }

  get hasGap() {
    return this.#beyond.size > 0;
  }
}

export class Position {
  #storage;
  #key;
  #epoch = null;
  #arrived = null;
  #taken = null;
  #resume; // {seq, epoch} that a new connection asks for
  #awaitsSnapshot = false;

  /** `storage` has getItem and setItem, or is null: then a reload starts without a position. */
  constructor(storage, key) {
    this.#storage = storage;
    this.#key = key;
    this.#resume = this.#load();
  }

  /** {seq, epoch} to resume from, or null without a position. */
  get resume() {
    return this.#resume;
  }

  get hasGap() {
    return this.#arrived !== null && this.#arrived.hasGap;
  }

  /**
   * Handle a `ready` frame. Without recovery the page starts at its `seq`; if we asked for a resume, the old
   * position is kept until the page has handled the snapshot that follows.
   */
  ready({ seq, epoch, recovered }, asked) {
    if (recovered && this.#resume?.epoch === epoch) {
      this.#epoch = epoch;
      this.#arrived = new Run(this.#resume.seq);
      this.#taken ??= new Run(this.#resume.seq);
      return;
    }
    this.#epoch = epoch;
    this.#arrived = new Run(seq);
    this.#taken = new Run(seq);
    this.#awaitsSnapshot = asked && this.#resume !== null;
    if (!this.#awaitsSnapshot) this.#keep();
  }

  arrived(seq) {
    this.#arrived?.add(seq);
  }

  /** The handlers have processed the event with this `seq`. */
  took(seq) {
    if (this.#taken === null) return;
    const before = this.#taken.last;
    this.#taken.add(seq);
    if (this.#taken.last > before && !this.#awaitsSnapshot) this.#keep();
  }

  /** Start at the `seq` of `ready`: the page has handled the snapshot, or needs none. */
  reset() {
    if (!this.#awaitsSnapshot) return;
    this.#awaitsSnapshot = false;
    this.#keep();
  }

  #keep() {
    this.#resume = { seq: this.#taken.last, epoch: this.#epoch };
    try {
      this.#storage?.setItem(this.#key, JSON.stringify(this.#resume));
    } catch {
      // Without storage (full or forbidden) a reload needs a snapshot; nothing else changes.
    }
  }

  #load() {
    try {
      const { seq, epoch } = JSON.parse(this.#storage?.getItem(this.#key) ?? "null");
      return Number.isSafeInteger(seq) && seq >= 0 && typeof epoch === "string" ? { seq, epoch } : null;
    } catch {
      return null;
    }
  }
}
