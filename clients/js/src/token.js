// For the back end of a site, in Node: a token with which its pages sign in. Never import this in a page.

import { sign } from "node:crypto";

/**
 * Return a token for `person` (their external id), good for `lifeS` seconds, at most 900. `privateKey` is an Ed25519
 * key in PEM (`manage.py make_token_keys` makes one); `issuer` is needed where the server names JWT_ISSUERS.
 */
export function makeToken(person, privateKey, { audience = "tocsin", issuer, lifeS = 600 } = {}) {
  const now = Math.floor(Date.now() / 1_000);
  const claims = { sub: person, aud: audience, iat: now, exp: now + lifeS, ...(issuer && { iss: issuer }) };
  const signed = [{ alg: "EdDSA", typ: "JWT" }, claims].map(encoded).join(".");
  return `${signed}.${sign(null, Buffer.from(signed), privateKey).toString("base64url")}`;
}

function encoded(part) {
  return Buffer.from(JSON.stringify(part)).toString("base64url");
}
