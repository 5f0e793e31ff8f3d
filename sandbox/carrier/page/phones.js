// Two phones: posts what is typed to the carrier, shows what it brings. Everything shown is set as text, never as HTML.
const $ = (selector, under = document) => under.querySelector(selector);
const number = $("#number");
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
  $("#said").textContent = "";
  return content;
}

const guarded = (work) => work.catch((error) => { $("#said").textContent = error.message; });
const messages = () => `/v1/phones/${encodeURIComponent(number.value.trim())}/messages`;
const write = (body) => guarded(call("POST", messages(), body).then(refresh));

function choicesOf(interactive) {
  if (interactive?.type === "button") return interactive.action.buttons.map((each) => each.reply);
  if (interactive?.type === "list") return interactive.action.sections.flatMap((each) => each.rows);
  return [];
}

function row(message) {
  const item = document.createElement("li");
  item.className = message.outbound ? "" : "mine";
  item.textContent = message.text || (message.media ? `(${message.media})` : "");
  const choices = choicesOf(message.interactive);
  if (choices.length || message.interactive?.type === "location_request_message") {
    const list = document.createElement("div");
    list.className = "choices";
    for (const { id, title, description } of choices) {
      const button = document.createElement("button");
      button.type = "button";
      button.textContent = description ?? title;
      button.addEventListener("click", () => write({ choice: { token: id, title } }));
      list.append(button);
    }
    if (!choices.length) {
      const button = document.createElement("button");
      button.type = "button";
      button.textContent = "Send location";
      button.addEventListener("click", sharePlace);
      list.append(button);
    }
    item.append(list);
  }
  const small = document.createElement("small");
  const cost = message.outbound && message.line === "sms" ? `, ${message.segments} × ${message.encoding}` : "";
  small.textContent = `${new Date(message.at).toLocaleTimeString()}${message.outbound ? `, ${message.status}` : ""}${cost}${message.template ? ", template" : ""}`;
  item.append(small);
  return item;
}

const sharePlace = () => write({ place: { latitude: 45.4254, longitude: -75.6919, name: "Rideau Centre" } });

async function refresh() {
  if (shownFor !== number.value.trim()) {
    shownFor = number.value.trim();
    after = 0;
    document.querySelectorAll(".talk").forEach((talk) => talk.replaceChildren());
  }
  const { messages: rows, last } = await call("GET", `${messages()}?after=${after}`);
  if (after <= last) {
    for (const message of rows) {
      if (message.seq <= after) continue;
      const talk = $(`.phone[data-line=${message.line}] .talk`);
      talk.append(row(message));
      talk.scrollTop = talk.scrollHeight;
    }
  } else shownFor = ""; // the carrier was started anew
  after = last;
}

for (const phone of document.querySelectorAll(".phone")) {
  $(".write", phone).addEventListener("submit", (event) => {
    event.preventDefault();
    const input = $("input", phone);
    const text = input.value.trim();
    input.value = "";
    if (text) write({ line: phone.dataset.line, text });
  });
}
$("#place").addEventListener("click", sharePlace);
$("#picture").addEventListener("change", async (event) => {
  const [file] = event.target.files;
  if (!file) return;
  const bytes = new Uint8Array(await file.arrayBuffer());
  let binary = "";
  for (const byte of bytes) binary += String.fromCharCode(byte);
  event.target.value = "";
  write({ line: "whatsapp", text: "", media: { type: file.type, base64: btoa(binary) } });
});

async function showManners() {
  const form = $("#manners");
  for (const [name, value] of Object.entries(await call("GET", "/v1/manners"))) {
    const label = document.createElement("label");
    label.textContent = name;
    const input = document.createElement("input");
    Object.assign(input, { type: "number", min: 0, max: name.endsWith("_s") ? 60 : 1, step: 0.05, value });
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
guarded(refresh());
setInterval(() => guarded(refresh()), 700);
setInterval(() => guarded(bill()), 3000);
