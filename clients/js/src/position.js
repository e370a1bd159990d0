// Where this page stands in the person's sequence: up to where the frames came without a gap, and up to where
// the handlers took them. The second is kept in storage, and is where a new connection resumes.

const BEYOND = 5_000;

/** Numbers that arrive in any order: `last` is the highest below which none is missing. */
class Run {
  #beyond = new Set();

  constructor(last) {
    this.last = last;
  }

  add(seq) {
    if (seq <= this.last) return;
    // So many after a missing one: the server answers a resume from there with a snapshot anyway.
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
  #resume; // {seq, epoch}: what a new connection would ask for
  #awaitsSnapshot = false;

  /** `storage` has getItem and setItem, or is null: then a reload begins anew. */
  constructor(storage, key) {
    this.#storage = storage;
    this.#key = key;
    this.#resume = this.#load();
  }

  /** {seq, epoch} to resume from, or null where this page has not been anywhere. */
  get resume() {
    return this.#resume;
  }

  get hasGap() {
    return this.#arrived !== null && this.#arrived.hasGap;
  }

  /**
   * Take a `ready` frame. Without recovery the page begins at its `seq`; where we asked for a resume, the old
   * position is kept until the page has taken the snapshot that follows.
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

  /** The handlers took the event with this `seq`. */
  took(seq) {
    if (this.#taken === null) return;
    const before = this.#taken.last;
    this.#taken.add(seq);
    if (this.#taken.last > before && !this.#awaitsSnapshot) this.#keep();
  }

  /** The page has taken the snapshot, or has no need of one. */
  settled() {
    if (!this.#awaitsSnapshot) return;
    this.#awaitsSnapshot = false;
    this.#keep();
  }

  #keep() {
    this.#resume = { seq: this.#taken.last, epoch: this.#epoch };
    try {
      this.#storage?.setItem(this.#key, JSON.stringify(this.#resume));
    } catch {
      // A full or forbidden storage costs a snapshot after a reload, and nothing else.
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
