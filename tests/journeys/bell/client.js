import { connect } from "tocsin-client";

const token = async () => (await fetch("/my/tocsin-token")).text();

/** The shop's client; with ?unconfirmed it leaves it to other channels to reach the person. */
export const client = connect({
  url: document.body.dataset.url,
  person: document.body.dataset.person,
  token,
  inbox: 30,
  confirm: !location.search.includes("unconfirmed"),
});
