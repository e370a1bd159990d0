// The sample sender: publishes an event to the signed-in person, and shows the producer's acks.

import { h } from "./dom.js";
import { Problem } from "./api.js";
import { isFinal } from "./timeline.js";

export class Sender extends EventTarget {
  #api;
  #types = document.getElementById("event-type");
  #line = document.getElementById("producer-ack");
  #ack = null;
  #count = 0;

  /** "sent" is dispatched after each answer, "problem" with an error. */
  constructor(api, samples) {
    super();
    this.#api = api;
    this.#types.append(...samples.map(({ event_type, label }) => h("option", { value: event_type }, label)));
    if (samples.some(({ event_type }) => event_type === "ORDER_FILLED")) this.#types.value = "ORDER_FILLED";
    for (const button of document.querySelectorAll(".send-button")) {
      button.addEventListener("click", () => this.#send(button.dataset.priority));
    }
  }

  /** Complete the line when its event has ended. */
  follow(events) {
    if (!this.#ack || this.#ack.final) return;
    const event = events.find(({ event_id }) => event_id === this.#ack.event_id);
    if (!event || !isFinal(event)) return;
    this.#ack.final = true;
    this.#line.append(h("span", { class: "ack-then", "data-outcome": isDelivered(event) ? "ok" : "error" }, ` …then ${outcomeText(event)}`));
  }

  async #send(priority) {
    const turn = (this.#count += 1); // answers may arrive out of order; the line shows the last click
    try {
      const ack = await this.#publish({ event_type: this.#types.value, priority });
      if (turn === this.#count) this.#show(ack);
    } catch (error) {
      this.dispatchEvent(new CustomEvent("problem", { detail: error }));
    }
    this.dispatchEvent(new CustomEvent("sent"));
  }

  /** A refusal may be an ack with an error status: show it as an ack. */
  async #publish(body) {
    try {
      return await this.#api.post("/demo/send", body);
    } catch (error) {
      if (error instanceof Problem && typeof error.body?.status === "string") return error.body;
      throw error;
    }
  }

  #show(ack) {
    this.#ack = ack;
    this.#line.dataset.eventId = ack.event_id;
    this.#line.dataset.status = ack.status;
    this.#line.replaceChildren("Producer's ack: ", h("strong", {}, `${outcomeText(ack)}${ack.seq ? `, seq ${ack.seq}` : ""}`));
    if (ack.detail) this.#line.append(h("span", { class: "ack-detail" }, ` ${ack.detail}`));
  }
}

/** Text of an ack, or of an event of the timeline. */
function outcomeText(what) {
  if (isDelivered(what)) {
    const via = what.delivered_via ? ` via ${what.delivered_via}` : "";
    return `DELIVERED${via}${what.evidence ? `, evidence ${what.evidence.toUpperCase()}` : ""}`;
  }
  if (what.status === "QUEUED") return "QUEUED";
  return `ACK_ERROR ${what.code || what.state || ""}`.trim();
}

function isDelivered(what) {
  return (what.status ?? what.state ?? "").toUpperCase() === "DELIVERED";
}
