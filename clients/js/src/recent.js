// A set that drops its oldest members, so that memory stays bounded.

export class Recent {
  #members = new Set();
  #limit;

  constructor(limit) {
    this.#limit = limit;
  }

  has(member) {
    return this.#members.has(member);
  }

  add(member) {
    this.#members.delete(member); // added again: it becomes the newest
    this.#members.add(member);
    if (this.#members.size > this.#limit) this.#members.delete(this.#members.values().next().value);
  }

  delete(member) {
    return this.#members.delete(member);
  }
}
