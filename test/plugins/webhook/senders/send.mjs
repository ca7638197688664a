// Signs deliveries as their senders do, sends them, and prints how each was answered.
//
//   node send.mjs        reads deliveries from standard input, a JSON object a line:
//                        {"as": "github", "url": …, "secret": …, "body": …, "id": …, "event": …,
//                         "age": seconds since it was signed, "old_secret": …}
//                        and prints a line for each: {"status": 202, "body": "…"}
import { createInterface } from "node:readline";
import { sign } from "@octokit/webhooks-methods";
import { Webhook } from "standardwebhooks";
import Stripe from "stripe";

const stripe = new Stripe("sk_test_none");
const json = { "content-type": "application/json" };

// What the senders' own libraries put on a delivery.
const headersOf = {
  github: async ({ secret, body, id, event }) => ({
    ...json,
    "user-agent": "GitHub-Hookshot/044aadd",
    "x-github-delivery": id,
    "x-github-event": event ?? "push",
    "x-hub-signature-256": await sign(secret, body),
  }),
  "standard-webhooks": async ({ secret, old_secret, body, id, age }) => {
    const at = new Date(Date.now() - age * 1000);
    const signatures = [old_secret, secret].filter(Boolean).map((key) => new Webhook(key).sign(id, at, body));
    return {
      ...json,
      "webhook-id": id,
      "webhook-timestamp": String(Math.floor(at.getTime() / 1000)),
      "webhook-signature": signatures.join(" "),
    };
  },
  stripe: async ({ secret, body, age }) => ({
    ...json,
    "stripe-signature": stripe.webhooks.generateTestHeaderString({
      payload: body,
      secret,
      timestamp: Math.floor(Date.now() / 1000) - age,
    }),
  }),
};

for await (const line of createInterface({ input: process.stdin })) {
  const delivery = { id: "id-1", age: 0, ...JSON.parse(line) };
  const headers = await headersOf[delivery.as](delivery);
  const answer = await fetch(delivery.url, { method: "POST", headers, body: delivery.body });
  console.log(JSON.stringify({ status: answer.status, body: await answer.text() }));
}
