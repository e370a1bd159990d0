// Publishes an event with the generated client, asks for it and for one that does not exist, and prints the answers.
import { client } from "./generated/client.gen";
import { getEvent, publishEvent } from "./generated/sdk.gen";

client.setConfig({ baseUrl: process.env.API_URL, auth: process.env.API_KEY });

const published = await publishEvent({
  body: {
    event_id: "generated-ts",
    user_id: "ann",
    timestamp: Date.now(),
    event_type: "ORDER_FILLED",
    payload: { symbol: "BTC/USDT" },
  },
});
const asked = await getEvent({ path: { event_id: "generated-ts" } });
const unknown = await getEvent({ path: { event_id: "nothing" } });
const story = asked.data;
console.log(
  JSON.stringify({
    status: published.response?.status,
    code: published.data?.code,
    user_id: story && "user_id" in story ? story.user_id : null,
    outcomes: story?.ack.outcomes.length,
    refused: unknown.error?.code,
  }),
);
