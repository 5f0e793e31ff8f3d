// The page's side of the chat: posts messages with ids of its own, so that a repeat is not a second message, and shows what
// the server's event stream says. What was said lives on the server; a reload or a second tab reads it again.
"use strict";

const log = document.getElementById("log");
const empty = document.getElementById("empty");
const status = document.getElementById("status");
const choices = document.getElementById("choices");
const form = document.getElementById("form");
const box = document.getElementById("text");
const hint = hintFrom(new URLSearchParams(location.search));

const lines = new Map(); // entry id or client id → list item
const queue = []; // messages the server has not confirmed, in their order
const offered = new Map(); // choice token → title
let sending = false;
let working = false;
let connected = true;
let lastSeq = 0;

function hintFrom(query) {
  const charger = query.get("charger");
  if (!charger || !/^[A-Za-z0-9* ._-]{1,48}$/.test(charger)) return {};
  const connector = Number(query.get("connector"));
  return Number.isInteger(connector) && connector > 0 && connector < 100 ? { charger, connector } : { charger };
}

function newId() {
  const bytes = crypto.getRandomValues(new Uint8Array(16));
  return Array.from(bytes, (byte) => byte.toString(16).padStart(2, "0")).join("");
}

function addLine(author, text, note, agent) {
  const item = document.createElement("li");
  item.className = author;
  const who = document.createElement("span");
  who.className = author === "person" ? "agent" : "visually-hidden"; // that a person writes now is for everyone to see
  who.textContent = author === "bot" ? "Assistant: " : author === "person" ? `${agent || "Our team"}: ` : "You: ";
  const said = document.createElement("p");
  said.append(who, text);
  item.append(said);
  const small = document.createElement("small");
  small.textContent = note;
  item.append(small);
  const atEnd = log.scrollHeight - log.scrollTop - log.clientHeight < 80;
  log.append(item);
  if (atEnd || author === "driver") log.scrollTop = log.scrollHeight;
  empty.hidden = true;
  return item;
}

function setNote(item, note, unsent) {
  item.querySelector("small").textContent = note;
  item.classList.toggle("unsent", Boolean(unsent));
}

function timeOf(iso) {
  return new Date(iso).toLocaleTimeString([], { hour: "2-digit", minute: "2-digit" });
}

function showEntry(entry) {
  lastSeq = Math.max(lastSeq, entry.seq);
  if (lines.has(entry.id)) return;
  const own = entry.client_id && lines.get(entry.client_id);
  if (own) {
    setNote(own, `Delivered ${timeOf(entry.at)}`);
    // The server may have changed it, for instance hidden a card number.
    own.querySelector("p").lastChild.textContent = entry.text;
    lines.set(entry.id, own);
    return;
  }
  for (const choice of entry.choices || []) offered.set(choice.token, choice.title);
  if (!entry.text) return;
  const note = entry.author === "driver" ? `Delivered ${timeOf(entry.at)}` : timeOf(entry.at);
  lines.set(entry.id, addLine(entry.author, entry.text, note, entry.agent));
}

function showChoices(tokens) {
  const shown = Array.from(choices.children, (button) => button.dataset.token).join();
  if (shown === tokens.join()) return;
  choices.replaceChildren(
    ...tokens.filter((token) => offered.has(token)).map((token) => {
      const button = document.createElement("button");
      button.type = "button";
      button.dataset.token = token;
      button.textContent = offered.get(token);
      button.addEventListener("click", () => {
        say({ choice: token }, offered.get(token));
        choices.replaceChildren();
        box.focus();
      });
      return button;
    })
  );
}

function showStatus() {
  const waiting = queue.length > 0;
  status.classList.toggle("working", connected && working);
  status.classList.toggle("bad", !connected);
  if (!connected) status.textContent = waiting ? "No connection. Your message goes out when it is back." : "No connection. Trying again.";
  else status.textContent = working ? "The assistant is working" : "";
}

function say(message, shown) {
  const clientId = newId();
  lines.set(clientId, addLine("driver", shown, "Sending"));
  queue.push({ client_id: clientId, ...message, ...hint });
  working = true;
  showStatus();
  void sendQueue();
}

async function sendQueue() {
  if (sending) return;
  sending = true;
  let pause = 500;
  while (queue.length > 0) {
    const item = lines.get(queue[0].client_id);
    let answer = null;
    try {
      answer = await fetch("/web/messages", {
        method: "POST",
        headers: { "Content-Type": "application/json" },
        body: JSON.stringify(queue[0]),
      });
    } catch {
      answer = null; // not connected: the same message again, under the same id
    }
    if (answer && answer.ok) {
      if (item.querySelector("small").textContent === "Sending" || item.classList.contains("unsent")) setNote(item, "Delivered");
      queue.shift();
      pause = 500;
    } else if (answer && answer.status < 500 && answer.status !== 429) {
      const problem = await answer.json().catch(() => ({}));
      setNote(item, `Not delivered. ${problem.detail || ""}`, true);
      queue.shift();
    } else {
      setNote(item, "Not delivered yet", true);
      await new Promise((resolve) => setTimeout(resolve, pause));
      pause = Math.min(pause * 2, 8000);
    }
  }
  sending = false;
  showStatus();
}

function listen() {
  const source = new EventSource(`/web/events?after=${lastSeq}`);
  source.addEventListener("open", () => { connected = true; showStatus(); });
  source.addEventListener("entry", (event) => showEntry(JSON.parse(event.data)));
  source.addEventListener("state", (event) => {
    const state = JSON.parse(event.data);
    working = state.working || queue.length > 0;
    showChoices(state.choices);
    showStatus();
  });
  source.addEventListener("error", () => {
    connected = false;
    showStatus();
    if (source.readyState === EventSource.CLOSED) setTimeout(listen, 3000); // the browser reconnects by itself otherwise
  });
}

form.addEventListener("submit", (event) => {
  event.preventDefault();
  const text = box.value.trim();
  if (!text) return;
  box.value = "";
  box.focus();
  say({ text }, text);
});
box.addEventListener("keydown", (event) => {
  if (event.key === "Enter" && !event.shiftKey && !event.isComposing) {
    event.preventDefault();
    form.requestSubmit();
  }
});

fetch("/web/about").then((answer) => answer.json()).then((about) => {
  document.getElementById("who").textContent = `Automated assistant of ${about.operator}` + (about.phone ? `. A person: ${about.phone}` : "");
}).catch(() => {}); // the header keeps its plain words
listen();
