// opencode as its terminal and its editors use it, by its server: what a user is shown while it waits for a limit to pass.
// usage: opencode.mjs PROGRAM
import { spawn } from "node:child_process";
import { randomInt } from "node:crypto";
import { once } from "node:events";
import { setTimeout as wait } from "node:timers/promises";

const [, , program] = process.argv;
const until = async (what) => {
  for (;;) {
    const found = await what().catch(() => null);
    if (found) return found;
    await wait(100);
  }
};

// It can neither share a port nor say which one it has: one that is taken ends it, and another is tried.
let port;
const ask = async (method, path, body) => {
  const options = { method, headers: { "content-type": "application/json" }, body: body && JSON.stringify(body) };
  const answer = await fetch(`http://127.0.0.1:${port}${path}`, options);
  if (!answer.ok) throw new Error(`${method} ${path}: ${answer.status} ${await answer.text()}`);
  return answer.status === 204 ? null : answer.json();
};
const start = async () => {
  port = randomInt(10_000, 20_000);
  const server = spawn(program, ["serve", "--hostname", "127.0.0.1", "--port", `${port}`], { stdio: ["ignore", "ignore", "inherit"] });
  const ended = once(server, "exit").then(() => null);
  const session = until(async () => {
    const session = await ask("POST", "/session", {});
    return session.directory === process.cwd() && session;
  });
  return [server, await Promise.race([session, ended])];
};
let server, session;
while (!session) [server, session] = await start();

// The first request takes the hour's only place, and the next meets the limit.
await ask("POST", `/session/${session.id}/prompt_async`, { parts: [{ type: "text", text: "Write the note." }] });
const shown = await until(async () => {
  const status = (await ask("GET", "/session/status"))[session.id];
  return status?.type === "retry" && status;
});
console.log(JSON.stringify({ case: "rate", said: { message: shown.message, seconds: Math.round((shown.next - Date.now()) / 1000) } }));
server.kill();
process.exit();
