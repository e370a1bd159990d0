// Checks an AsyncAPI document against the schema of AsyncAPI, and frames against the document's messages.
// Reads {"document": …, "frames": [{"type": …}, …]} from standard input; prints a JSON list of what is wrong.

import { readFileSync } from "node:fs";
import Ajv from "ajv";
import addFormats from "ajv-formats";

const SCHEMA = new URL("../node_modules/@asyncapi/specs/schemas/3.0.0.json", import.meta.url);

const { document, frames } = JSON.parse(readFileSync(0, "utf8"));
const options = { strict: false, allErrors: true, validateSchema: false };
const asyncapi = new Ajv({ ...options, meta: false }); // the schema brings its own copy of the metaschema
addFormats(asyncapi);

const valid = asyncapi.compile(JSON.parse(readFileSync(SCHEMA, "utf8")));
const wrong = valid(document) ? [] : valid.errors.map((error) => `document${error.instancePath}: ${error.message}`);

const ajv = new Ajv(options);
ajv.addSchema(document, "document");
for (const frame of frames) {
  const check = ajv.getSchema(`document#/components/messages/${frame.type}/payload`);
  if (!check) wrong.push(`${frame.type}: no such message`);
  else if (!check(frame)) wrong.push(`${frame.type}${check.errors[0].instancePath}: ${check.errors[0].message}`);
}
process.stdout.write(JSON.stringify(wrong));
