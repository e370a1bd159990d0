// A set that forgets its oldest members, so that memory stays bounded however long the page is open.

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
    this.#members.delete(member); // once more is newest again
    this.#members.add(member);
    if (this.#members.size > this.#limit) this.#members.delete(this.#members.values().next().value);
  }

  delete(member) {
    return this.#members.delete(member);
  }
}
