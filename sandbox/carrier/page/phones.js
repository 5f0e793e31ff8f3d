// Two phones: posts what is typed to the carrier, shows what it brings. Everything shown is set as text, never as HTML.
const $ = (selector, under = document) => under.querySelector(selector);
const number = $("#number");
const LINK = /https?:\/\/[^\s<>"]+[^\s<>".,;:!?)]/g;
let after = 0;
let shownFor = "";

async function call(method, path, body) {
  const answer = await fetch(path, {
    method,
    headers: body ? { "Content-Type": "application/json" } : {},
    body: body ? JSON.stringify(body) : undefined,
  });
  const content = await answer.json();
  if (!answer.ok) throw new Error(content.detail ?? `HTTP ${answer.status}`);
  return content;
}

const said = $("#said");
// What went wrong stays until something works again: of the same kind, since the page asks for news all the time.
const guarded = (work, kind = "act") => work.then(
  () => { if (said.dataset.kind === kind) said.textContent = ""; },
  (error) => { said.textContent = error.message; said.dataset.kind = kind; },
);
const messages = () => `/v1/phones/${encodeURIComponent(number.value.trim())}/messages`;
const write = (body) => guarded(call("POST", messages(), body).then(refresh));

function make(name, text, attributes = {}) {
  const made = document.createElement(name);
  made.textContent = text;
  return Object.assign(made, attributes);
}

function choicesOf(interactive) {
  if (interactive?.type === "button") return interactive.action.buttons.map((each) => each.reply);
  if (interactive?.type === "list") return interactive.action.sections.flatMap((each) => each.rows);
  return [];
}

// The words, with their links to click as on a phone.
function words(text) {
  const parts = document.createDocumentFragment();
  let from = 0;
  for (const found of text.matchAll(LINK)) {
    parts.append(text.slice(from, found.index), make("a", found[0], { href: found[0], target: "_blank", rel: "noopener noreferrer" }));
    from = found.index + found[0].length;
  }
  parts.append(text.slice(from));
  return parts;
}

function pin(place) {
  const shown = make("div", "", { className: "pin" });
  const sign = document.createElementNS("http://www.w3.org/2000/svg", "svg");
  sign.setAttribute("viewBox", "0 0 20 28");
  sign.setAttribute("aria-hidden", "true");
  const path = document.createElementNS("http://www.w3.org/2000/svg", "path");
  path.setAttribute("d", "M10 0a10 10 0 0 0-10 10c0 7 10 18 10 18s10-11 10-18a10 10 0 0 0-10-10zm0 14a4 4 0 1 1 0-8 4 4 0 0 1 0 8z");
  sign.append(path);
  const where = `${place.latitude.toFixed(4)}, ${place.longitude.toFixed(4)}`;
  shown.append(sign, make("span", place.name ? `${place.name}\n${where}` : where));
  return shown;
}

function row(message) {
  const item = make("li", "", { className: message.outbound ? "" : "mine" });
  if (message.place) item.append(pin(message.place));
  else item.append(words(message.text || (message.media ? `(${message.media})` : "")));
  const choices = choicesOf(message.interactive);
  if (choices.length || message.interactive?.type === "location_request_message") {
    const list = make("div", "", { className: "choices" });
    for (const { id, title, description } of choices) {
      const button = make("button", title, { type: "button" });
      if (description && description !== title) button.append(make("span", description, { className: "description" }));
      button.addEventListener("click", () => write({ choice: { token: id, title, row: message.interactive.type === "list" } }));
      list.append(button);
    }
    if (!choices.length) {
      const button = make("button", "Send location", { type: "button" });
      button.addEventListener("click", () => showPin(true));
      list.append(button);
    }
    item.append(list);
  }
  const cost = message.outbound && message.line === "sms" ? `, ${message.segments} × ${message.encoding}` : "";
  item.append(make("small", `${new Date(message.at).toLocaleTimeString()}${message.outbound ? `, ${message.status}` : ""}${cost}${message.template ? ", template" : ""}`));
  return item;
}

async function refresh() {
  if (shownFor !== number.value.trim()) {
    shownFor = number.value.trim();
    after = 0;
    document.querySelectorAll(".talk").forEach((talk) => talk.replaceChildren());
    document.querySelectorAll("#people button").forEach((one) => one.setAttribute("aria-pressed", String(one.dataset.number === shownFor)));
  }
  const asked = shownFor;
  const { messages: rows, last, typing } = await call("GET", `${messages()}?after=${after}`);
  if (asked !== shownFor) return; // another number was chosen meanwhile
  if (after <= last) {
    for (const message of rows) {
      if (message.seq <= after) continue;
      const talk = $(`.phone[data-line=${message.line}] .talk`);
      talk.append(row(message));
      talk.scrollTop = talk.scrollHeight;
    }
  } else shownFor = ""; // the carrier was started anew
  after = last;
  $("#typing").textContent = typing ? "typing…" : "";
}

for (const phone of document.querySelectorAll(".phone")) {
  const line = phone.dataset.line;
  $(".write", phone).addEventListener("submit", (event) => {
    event.preventDefault();
    const input = $("input", event.target);
    const text = input.value.trim();
    input.value = "";
    if (text) write({ line, text });
  });
  $("input[type=file]", phone).addEventListener("change", async (event) => {
    const [file] = event.target.files;
    if (!file) return;
    const bytes = new Uint8Array(await file.arrayBuffer());
    let binary = "";
    for (const byte of bytes) binary += String.fromCharCode(byte);
    event.target.value = "";
    write({ line, text: "", media: { type: file.type, base64: btoa(binary) } });
  });
}

function showPin(open) {
  $("#pin").hidden = !open;
  $("#place").setAttribute("aria-expanded", String(open));
  if (open) $("#spot").focus();
}

function share(place) {
  showPin(false);
  write({ place });
}

$("#place").addEventListener("click", () => showPin($("#pin").hidden));
$("#pin").addEventListener("keydown", (event) => {
  if (event.key !== "Escape") return;
  showPin(false);
  $("#place").focus();
});
$("#pin").addEventListener("submit", (event) => {
  event.preventDefault();
  const found = $("#spot").value.trim().match(/^(-?\d+(?:\.\d+)?)\s*,\s*(-?\d+(?:\.\d+)?)\s*(.*)$/);
  if (!found) { guarded(Promise.reject(new Error("A place begins with its latitude and longitude, like 45.4254, -75.6919"))); return; }
  share({ latitude: Number(found[1]), longitude: Number(found[2]), ...(found[3] ? { name: found[3] } : {}) });
});
$("#here").addEventListener("click", () => navigator.geolocation.getCurrentPosition(
  ({ coords }) => share({ latitude: coords.latitude, longitude: coords.longitude }),
  (error) => guarded(Promise.reject(new Error(`This device does not say where it is: ${error.message}`))),
));

for (const person of document.querySelectorAll("#people button")) {
  person.addEventListener("click", () => { number.value = person.dataset.number; guarded(refresh()); });
}

async function showManners() {
  const form = $("#manners");
  for (const [name, value] of Object.entries(await call("GET", "/v1/manners"))) {
    const label = make("label", name);
    const input = make("input", "", { type: "number", min: 0, max: name.endsWith("_s") ? 60 : 1, step: 0.05, value });
    input.addEventListener("change", () => guarded(call("PUT", "/v1/manners", { [name]: Number(input.value) })));
    label.append(input);
    form.append(label);
  }
}

async function bill() {
  const { sms, segments, whatsapp } = await call("GET", "/v1/bill");
  $("#bill").textContent = `sent: ${sms} SMS of ${segments} segments, ${whatsapp} on WhatsApp`;
}

guarded(showManners());
guarded(refresh(), "news");
setInterval(() => guarded(refresh(), "news"), 700);
setInterval(() => guarded(bill(), "news"), 3000);
