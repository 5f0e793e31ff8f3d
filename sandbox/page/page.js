// The control page of the sandbox: reads the chargers every two seconds and changes only what has changed, so that focus stays.
// Texts from the network go in as text nodes, never as HTML.

const sites = document.getElementById("sites");
const said = document.getElementById("said");
const cards = new Map();
let faultTable = [];
let carKinds = [];
let last = [];

const make = (tag, properties = {}, ...children) => {
  const element = Object.assign(document.createElement(tag), properties);
  element.append(...children);
  return element;
};

const setText = (element, text) => { if (element.textContent !== text) element.textContent = text; };
const setClass = (element, name) => { if (element.className !== name) element.className = name; };

function say(text, isError = false) {
  said.className = isError ? "error" : "";
  said.textContent = text;
}

async function ask(method, path, body) {
  const response = await fetch(path, {
    method,
    headers: body === undefined ? {} : { "Content-Type": "application/json" },
    body: body === undefined ? undefined : JSON.stringify(body),
  });
  const answer = await response.json();
  if (!response.ok) throw new Error(answer.detail || response.statusText);
  return answer;
}

async function act(what, method, path, body) {
  try {
    const answer = await ask(method, path, body);
    say(answer.status && answer.charger ? `${what}: ${answer.status}` : what);
  } catch (error) {
    say(`${what}: ${error.message}`, true);
  }
  await refresh();
}

const TONE = {
  Available: "good", Preparing: "warn", Charging: "good", SuspendedEV: "warn", SuspendedEVSE: "warn",
  Finishing: "warn", Reserved: "warn", Unavailable: "bad", Faulted: "bad",
};

function lineOf(charger) {
  if (charger.version_refused) return [`refused: ${charger.protocol} is not spoken there`, "warn"];
  if (charger.restarting) return ["restarting", "warn"];
  if (!charger.connected) return ["not connected", "bad"];
  if (!charger.booted) return [`connected, boot ${charger.boot_status ?? "not answered"}`, "warn"];
  return ["connected", "good"];
}

function describeCar(car) {
  if (!car) return "No car";
  const mood = car.full ? ", full" : car.willing ? "" : ", does not want to charge";
  return `Car: ${car.kind}, ${car.soc.toFixed(0)} %${mood}`;
}

function describeRun(connector) {
  const run = connector.transaction;
  if (run) {
    const number = run.number === null ? "" : ` ${run.number}`;
    return `Transaction${number}, card …${run.token_last4}: ${(run.energy_wh / 1000).toFixed(2)} kWh, ${(connector.power_w / 1000).toFixed(1)} kW`;
  }
  if (connector.authorised_token_last4) return `Card …${connector.authorised_token_last4} accepted, waiting for the plug`;
  return "";
}

function connectorCard(charger, connector) {
  const id = charger.id;
  const where = `${id}, connector ${connector.connector}`;
  const body = { connector: connector.connector };
  const state = make("span");
  const car = make("p");
  const run = make("p");
  const kind = make("select", { ariaLabel: `Car for ${where}` }, ...carKinds.map((name) => make("option", { value: name }, name)));
  const unlockCar = make("label", {}, make("input", { type: "checkbox" }), " car unlocked");
  const plug = make("button", { type: "button", ariaLabel: `Plug a car in: ${where}` }, "Plug in");
  const unplug = make("button", { type: "button", ariaLabel: `Unplug: ${where}` }, "Unplug");
  const swipe = make("button", { type: "button", ariaLabel: `Swipe a card: ${where}` }, "Swipe card");
  plug.onclick = () => act(`Plugged in at ${where}`, "POST", `/v1/chargers/${encodeURIComponent(id)}/plug`, { ...body, car: kind.value });
  unplug.onclick = () => act(`Unplugged at ${where}`, "POST", `/v1/chargers/${encodeURIComponent(id)}/unplug`, { ...body, car_unlocked: unlockCar.firstChild.checked });
  swipe.onclick = () => swipeAt(id, connector.connector);
  const element = make(
    "div", { className: "connector" },
    make("p", {}, make("strong", {}, `${connector.connector}: ${connector.plug}, ${connector.max_kw} kW`), " ", state),
    car, run, make("div", { className: "buttons" }, kind, plug, unplug, unlockCar, swipe),
  );
  const update = (now) => {
    setText(state, now.status + (now.error_code ? ` (${now.error_code})` : ""));
    setClass(state, `state ${TONE[now.status] ?? ""}`);
    setText(car, describeCar(now.car) + (now.held ? "; its cable is held" : ""));
    setText(run, describeRun(now));
    kind.hidden = plug.hidden = Boolean(now.car);
    unplug.hidden = !now.car;
    unlockCar.hidden = !now.held;
  };
  return { element, update };
}

function faultList(charger) {
  const id = charger.id;
  const list = make("ul", { className: "faults", ariaLabel: `Faults of ${id}` });
  const where = make("select", { ariaLabel: `Where to break: this charger or its site, ${id}` },
    make("option", { value: `chargers/${encodeURIComponent(id)}` }, "this charger"), make("option", { value: `sites/${encodeURIComponent(charger.site.id)}` }, "the whole site"));
  const pick = make(
    "select", { ariaLabel: `Fault for ${id}` },
    ...Object.entries(Object.groupBy(faultTable, (fault) => fault.group)).map(([group, faults]) => make("optgroup", { label: group },
      ...faults.map((fault) => make("option", { value: fault.name, title: fault.help }, fault.name.replaceAll("_", " "))))),
  );
  const help = make("p", { className: "quiet" });
  const showHelp = () => setText(help, faultTable.find((fault) => fault.name === pick.value)?.help ?? "");
  pick.onchange = showHelp;
  showHelp();
  const add = make("button", { type: "button", ariaLabel: `Break ${id}` }, "Break");
  add.onclick = () => act(`${id}: ${pick.value} is on`, "PUT", `/v1/${where.value}/faults/${pick.value}`, {});
  const history = make("button", { type: "button", ariaLabel: `Last messages of ${id}` }, "Last messages");
  history.onclick = () => showHistory(id);
  const tools = make("details", { className: "tools" }, make("summary", { ariaLabel: `Break or inspect ${id}` }, "Break or inspect"),
    make("div", { className: "buttons" }, pick, where, add), help, make("div", { className: "buttons" }, history));
  const element = make("div", {}, list, tools);
  let shown = "";
  const update = (faults) => {
    const key = JSON.stringify(faults);
    if (key === shown) return;
    shown = key;
    list.replaceChildren(...Object.entries(faults).map(([name, params]) => {
      const told = faultTable.find((fault) => fault.name === name);
      const details = Object.entries(params).filter(([param, value]) => value !== told?.params[param]?.default)
        .map(([param, value]) => `${param.replaceAll("_", " ")}: ${value}`).join(", ");
      const mend = make("button", { type: "button", ariaLabel: `Mend ${name.replaceAll("_", " ")} of ${id}` }, "Mend");
      mend.onclick = () => act(`${id}: ${name} is gone`, "DELETE", `/v1/chargers/${encodeURIComponent(id)}/faults/${name}`);
      return make("li", {}, make("span", {}, make("strong", { className: told?.group === "quirk" ? "quiet" : "bad" }, name.replaceAll("_", " ")), ` ${told?.help ?? ""}${details ? ` (${details})` : ""}`), mend);
    }));
  };
  return { element, update };
}

function chargerCard(charger) {
  const line = make("span");
  const connectors = charger.connectors.map((connector) => connectorCard(charger, connector));
  const faults = faultList(charger);
  const element = make(
    "article", { className: "charger", ariaLabel: `Charger ${charger.id}` },
    make("header", {}, make("h3", {}, charger.id), line),
    make("p", { className: "quiet" }, `Label ${charger.label} · ${charger.vendor} ${charger.model} · ${charger.protocol}`),
    ...connectors.map((each) => each.element), faults.element,
  );
  const update = (now) => {
    const [text, tone] = lineOf(now);
    setText(line, text);
    setClass(line, `state ${tone}`);
    now.connectors.forEach((connector, index) => connectors[index].update(connector));
    faults.update(now.faults);
  };
  return { element, update, words: wordsOf(charger) };
}

const wordsOf = (charger) => [charger.id, charger.label, charger.site.name, charger.site.city, charger.vendor, charger.model, charger.protocol,
  ...charger.connectors.map((connector) => connector.plug)].join(" ").toLowerCase();

function isShown(charger, card, words, show) {
  const all = `${card.words} ${Object.keys(charger.faults).join(" ").replaceAll("_", " ")}`.toLowerCase();
  if (!words.every((word) => all.includes(word))) return false;
  const quirks = new Set(faultTable.filter((fault) => fault.group === "quirk").map((fault) => fault.name));
  switch (show) {
    case "trouble": return !charger.connected || charger.connectors.some((each) => ["Faulted", "Unavailable"].includes(each.status))
      || Object.keys(charger.faults).some((name) => !quirks.has(name));
    case "charging": return charger.connectors.some((each) => each.status === "Charging");
    case "free": return charger.connected && charger.connectors.some((each) => each.status === "Available");
    case "": return true;
    default: return charger.protocol === show;
  }
}

function applyFilter() {
  const words = document.getElementById("find").value.toLowerCase().split(/\s+/).filter(Boolean);
  const show = document.getElementById("show").value;
  let shown = 0;
  for (const charger of last) {
    const card = cards.get(charger.id);
    card.element.hidden = !isShown(charger, card, words, show);
    shown += card.element.hidden ? 0 : 1;
  }
  for (const section of sites.querySelectorAll("section")) section.hidden = !section.querySelector("article:not([hidden])");
  return shown;
}

async function showHistory(id) {
  const { events } = await ask("GET", `/v1/events?newest=1&limit=60&type=frame&charger=${encodeURIComponent(id)}`);
  document.getElementById("history-title").textContent = `Last messages of ${id}, newest first`;
  const rows = events.reverse().map((event) => make("li", {},
    make("strong", {}, `${event.direction === "in" ? "to the charger:" : "from the charger:"} ${event.action || "?"} ${event.kind === "call" ? "" : event.kind}`),
    make("small", { className: "quiet" }, ` ${event.at.slice(11, 19)} UTC`),
    make("code", {}, JSON.stringify(event.payload, (key, value) => /^id(Tag|Token)$/.test(key) && typeof value === "string" ? `…${value.slice(-4)}` : value))));
  document.getElementById("history-list").replaceChildren(...(rows.length ? rows : [make("li", {}, "Nothing yet.")]));
  document.getElementById("history").showModal();
}

function build(chargers) {
  const groups = new Map();
  for (const charger of chargers) {
    if (!groups.has(charger.site.id)) groups.set(charger.site.id, { site: charger.site, chargers: [] });
    groups.get(charger.site.id).chargers.push(charger);
  }
  sites.replaceChildren(...[...groups.values()].map(({ site, chargers: members }) => make(
    "section", { ariaLabel: site.name },
    make("h2", {}, `${site.name} `, make("small", {}, site.city)),
    make("div", { className: "site" }, ...members.map((charger) => {
      const card = chargerCard(charger);
      cards.set(charger.id, card);
      return card.element;
    })),
  )));
}

async function swipeAt(id, connector) {
  const dialog = document.getElementById("swipe-dialog");
  const token = document.getElementById("swipe-token");
  dialog.returnValue = "";
  dialog.showModal();
  await new Promise((resolve) => dialog.addEventListener("close", resolve, { once: true }));
  if (dialog.returnValue !== "swipe" || !token.value.trim()) return;
  await act(`Card at ${id}, connector ${connector}`, "POST", `/v1/chargers/${encodeURIComponent(id)}/swipe`, { connector, token: token.value.trim() });
}

async function refresh() {
  let chargers;
  try {
    ({ chargers } = await ask("GET", "/v1/chargers"));
  } catch {
    setText(document.getElementById("summary"), "The sandbox does not answer.");
    return;
  }
  if (cards.size === 0) build(chargers);
  last = chargers;
  for (const charger of chargers) cards.get(charger.id)?.update(charger);
  const shown = applyFilter();
  const connected = chargers.filter((charger) => charger.connected && charger.booted).length;
  const charging = chargers.flatMap((charger) => charger.connectors).filter((connector) => connector.status === "Charging").length;
  setText(document.getElementById("summary"), `${shown === chargers.length ? "" : `${shown} shown. `}${connected} of ${chargers.length} chargers connected, ${charging} connectors charging`);
}

document.getElementById("reset").onclick = () => act("All back to the start", "POST", "/v1/reset");

document.getElementById("filter").onsubmit = (event) => event.preventDefault();
document.getElementById("find").oninput = () => refresh();
document.getElementById("show").onchange = () => refresh();
document.getElementById("play").onclick = () => {
  const name = document.getElementById("scenario").value;
  act(`Scenario ${name.replaceAll("-", " ")}`, "POST", "/v1/scenarios", { name });
};

const [faults, kinds, drivers, played] = await Promise.all(["/v1/faults", "/v1/cars", "/v1/drivers", "/v1/scenarios"].map((path) => ask("GET", path)));
document.getElementById("scenario").append(...played.scenarios.map(({ name }) => make("option", { value: name }, name.replaceAll("-", " "))));
faultTable = faults.faults;
carKinds = kinds.cars;
document.getElementById("tokens").append(...drivers.tokens.map((token) => make("option", { value: token.id }, `${token.driver} (${token.status})`)));
await refresh();
setInterval(() => { if (!document.hidden) refresh(); }, 2000);
document.addEventListener("visibilitychange", () => { if (!document.hidden) refresh(); });
