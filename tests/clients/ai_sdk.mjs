// Vercel's AI SDK against the gateway, by OpenAI's and Anthropic's API: a tool, a stream, and what each refusal is to its user.
// usage: ai_sdk.mjs FOLDER-WITH-THE-PACKAGES GATEWAY
import { createRequire } from "node:module";

const [, , packages, gateway] = process.argv;
const from = createRequire(`${packages}/`);
const { generateText, streamText, tool, stepCountIs } = from("ai");
const { createOpenAI } = from("@ai-sdk/openai");
const { createAnthropic } = from("@ai-sdk/anthropic");
const { z } = from("zod");

const { AGENT, POOR, HOURLY } = process.env;
const say = (name, said) => console.log(JSON.stringify({ case: name, said }));

let asked = 0;
const counting = (...request) => {
  asked += 1;
  return fetch(...request);
};
const apis = {
  openai: { model: "gpt-4o", of: (apiKey) => createOpenAI({ baseURL: `${gateway}/v1`, apiKey, fetch: counting }) },
  anthropic: { model: "claude-sonnet-4-5", of: (apiKey) => createAnthropic({ baseURL: `${gateway}/v1`, apiKey, fetch: counting }) },
};

for (const [api, { model, of }] of Object.entries(apis)) {
  let noted = "";
  const note = tool({
    description: "Notes a text.",
    inputSchema: z.object({ text: z.string() }),
    execute: async ({ text }) => ((noted = text), "noted"),
  });
  const prompt = "Note it.";
  const whole = await generateText({ model: of(AGENT)(model), prompt, tools: { note }, stopWhen: stepCountIs(3), maxOutputTokens: 100 });
  say(`${api} tool`, noted);
  say(`${api} answer`, whole.text);
  const parts = [];
  for await (const part of streamText({ model: of(AGENT)(model), prompt, maxOutputTokens: 100 }).textStream) parts.push(part);
  say(`${api} stream`, parts.join(""));

  for (const [name, key, wanted] of [
    ["key", "no-key-of-this-gateway", model],
    ["model", AGENT, model.replace(/-.*/, "-nothing")],
    ["budget", POOR, model],
    ["rate", HOURLY, model],
  ]) {
    asked = 0;
    try {
      for (const _ of name === "rate" ? [1, 2] : [1]) {
        asked = 0;
        await generateText({ model: of(key)(wanted), prompt, maxOutputTokens: 100, maxRetries: 2 });
      }
      say(`${api} ${name}`, "an answer");
    } catch (error) {
      const last = error.lastError ?? error;
      say(`${api} ${name}`, { status: last.statusCode, message: last.message, retryable: last.isRetryable, asked });
    }
  }
}
