// opencode as its terminal and its editors use it, by its server: what a user is shown while it waits for a limit to pass.
// usage: opencode.mjs PROGRAM PORT
import { spawn } from "node:child_process";
import { setTimeout as wait } from "node:timers/promises";

const [, , program, port] = process.argv;
const server = spawn(program, ["serve", "--hostname", "127.0.0.1", "--port", port], { stdio: ["ignore", "ignore", "inherit"] });
const ask = async (method, path, body) => {
  const options = { method, headers: { "content-type": "application/json" }, body: body && JSON.stringify(body) };
  const answer = await fetch(`http://127.0.0.1:${port}${path}`, options);
  if (!answer.ok) throw new Error(`${method} ${path}: ${answer.status} ${await answer.text()}`);
  return answer.status === 204 ? null : answer.json();
};
const until = async (what) => {
  for (;;) {
    const found = await what().catch(() => null);
    if (found) return found;
    await wait(100);
  }
};

await until(() => ask("GET", "/session"));
const { id } = await ask("POST", "/session", {});
// The first request takes the hour's only place, and the turn's second meets the limit.
await ask("POST", `/session/${id}/prompt_async`, { parts: [{ type: "text", text: "Write the note." }] });
const shown = await until(async () => {
  const status = (await ask("GET", "/session/status"))[id];
  return status?.type === "retry" && status;
});
console.log(JSON.stringify({ case: "rate", said: { message: shown.message, seconds: Math.round((shown.next - Date.now()) / 1000) } }));
server.kill();
