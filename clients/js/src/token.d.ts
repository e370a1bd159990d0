export interface TokenOptions {
  /** The server's JWT_AUDIENCE; "tocsin" by default. */
  audience?: string;
  /** One of the server's JWT_ISSUERS, if it names any. */
  issuer?: string;
  /** How long the token is good, in seconds: 600 by default, at most 900. */
  lifeS?: number;
}

/** Return a token for a person, signed with an Ed25519 private key in PEM. For Node: the key never leaves the server. */
export function makeToken(person: string, privateKey: string, options?: TokenOptions): string;
