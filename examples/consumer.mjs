// Level 2 of docs/queue-protocol.md, with Node alone: node consumer.mjs HOST:PORT|/SOCKET WORKER
import fs from "node:fs";
import net from "node:net";
import path from "node:path";

const [address, worker] = process.argv.slice(2);
const lists = ["critical", "high", "medium", "low"].map((level) => `recon:queue:${level}`);
const mine = `recon:processing:${worker}`;

const [host, port] = address.split(":");
const socket = address.startsWith("/") ? net.connect(address) : net.connect(Number(port), host);
socket.on("close", () => process.exit(1));
const waiting = [];
let received = Buffer.alloc(0);
socket.on("data", (data) => {
  received = Buffer.concat([received, data]);
  for (let end; (end = received.indexOf("\r\n")) >= 0; ) {
    const [kind, head] = [received.toString("latin1", 0, 1), received.toString("latin1", 1, end)];
    const length = kind === "$" && head !== "-1" ? Number(head) + 2 : 0; // of a string, and its line's end
    if (received.length < end + 2 + length) return;
    const text = received.toString("utf8", end + 2, end + length);
    received = received.subarray(end + 2 + length);
    const { resolve, reject } = waiting.shift();
    if (kind === "-") reject(new Error(head));
    else resolve(length ? text : kind === ":" ? Number(head) : null); // an integer; nothing
  }
});
function redis(...words) {
  const sent = words.map((word) => `$${Buffer.byteLength(word)}\r\n${word}\r\n`).join("");
  socket.write(`*${words.length}\r\n${sent}`);
  return new Promise((resolve, reject) => waiting.push({ resolve, reject }));
}

function writeKeys(task) {
  task.keys.forEach((key, at) => {
    const file = path.join(task.lake.replace("file://", ""), key);
    fs.mkdirSync(path.dirname(file), { recursive: true });
    fs.writeFileSync(`${file}.part`, JSON.stringify(task.items[at]).padEnd(100));
    fs.renameSync(`${file}.part`, file); // whole as soon as it has its name
  });
}
async function workOn(body) {
  const task = JSON.parse(body);
  let result = { id: task.id, status: "done" };
  try {
    writeKeys(task);
  } catch (error) {
    result = { ...result, status: "failed", error: error.message };
  }
  await redis("RPUSH", "recon:results", JSON.stringify(result));
  await redis("LREM", mine, "1", body);
}
async function nextBody() {
  for (const list of lists) {
    const body = await redis("LMOVE", list, mine, "LEFT", "RIGHT");
    if (body) return body;
  }
  return redis("BLMOVE", lists[0], mine, "LEFT", "RIGHT", "2");
}

for (let left; (left = await redis("LMOVE", mine, mine, "LEFT", "LEFT")); ) await workOn(left); // of a killed run
for (;;) {
  const body = await nextBody();
  if (body) await workOn(body);
}
