// The desk's shell: signing in, which view is shown, and the few helpers that every view uses.
// A view is a module with `show(root, place)`: it fills `root`; `place` is what follows the view's name in the address (#data/payment_failed).
const VIEWS = [
  { name: "inbox", title: "Inbox" },
  { name: "data", title: "Data" },
  { name: "responses", title: "Responses" },
  { name: "models", title: "Models" },
];
const byId = (id) => document.getElementById(id);
const main = byId("main");

export class Refused extends Error {
  constructor(status, problem) {
    super(problem.detail || "Something went wrong.");
    this.status = status;
    this.problem = problem;
  }
}

// h("button.strong", { onclick, "aria-label": … }, "text", node, …): an element. Text is always text, never HTML.
export function h(tag, attributes = {}, ...children) {
  const [name, ...classes] = tag.split(".");
  const element = document.createElement(name);
  if (classes.length) element.className = classes.join(" ");
  for (const [key, value] of Object.entries(attributes)) {
    if (value === undefined || value === null || value === false) continue;
    if (key.startsWith("on")) element.addEventListener(key.slice(2), value);
    else if (key === "value") element.value = value;
    else if (key === "dataset") Object.assign(element.dataset, value);
    else element.setAttribute(key, value === true ? "" : value);
  }
  element.append(...children.flat().filter((child) => child !== null && child !== undefined && child !== false));
  return element;
}

// The desk's API. Raises Refused with a sentence for people.
export async function api(path, { method = "GET", body, signal } = {}) {
  let response;
  try {
    response = await fetch(`/api/${path}`, {
      method, signal, body: body === undefined ? undefined : JSON.stringify(body),
      headers: body === undefined ? {} : { "content-type": "application/json" },
    });
  } catch (error) {
    if (error.name === "AbortError") throw error;
    throw new Refused(0, { detail: "The desk does not answer. Is it running?" });
  }
  const said = response.status === 204 ? null : await response.json().catch(() => ({}));
  if (response.status === 401) { signIn(); throw new Refused(401, said ?? {}); }
  if (!response.ok) throw new Refused(response.status, said ?? {});
  return said;
}

// Says something below the page, to eyes and to screen readers; `undo` adds a button.
let quiet;
export function say(text, { bad = false, undo } = {}) {
  const said = byId("said");
  said.className = bad ? "bad" : "";
  said.replaceChildren(h("span", {}, text));
  if (undo) said.append(h("button", { type: "button", onclick: () => { said.replaceChildren(); undo(); } }, "Undo"));
  clearTimeout(quiet);
  quiet = setTimeout(() => said.replaceChildren(), bad || undo ? 15000 : 6000);
}

// Runs what may be refused, and says so where it is; a view's buttons are given this.
export async function attempt(work) {
  try { return await work(); } catch (error) {
    if (error instanceof Refused) { if (error.status !== 401) say(error.message, { bad: true }); }
    else if (error.name !== "AbortError") { console.error(error); say("Something on this page went wrong; loading it again may help.", { bad: true }); }
    return undefined;
  }
}

export const percent = (share) => `${Math.round(share * 100)} %`;
export const plural = (count, one, many = `${one}s`) => `${count.toLocaleString("en")} ${count === 1 ? one : many}`;
const moment = new Intl.DateTimeFormat("en", { day: "numeric", month: "short", hour: "2-digit", minute: "2-digit", hour12: false });
export const when = (iso) => h("time", { datetime: iso }, moment.format(new Date(iso)));
export const problemName = (intent) => intent.replaceAll("_", " ");
export const LANGUAGES = { en: "English", es: "Spanish", fr: "French" };
export const languageName = (code) => LANGUAGES[code] ?? code;

let shown = 0;
async function route() {
  const [name, ...rest] = location.hash.slice(1).split("/").map(decodeURIComponent);
  const view = VIEWS.find((one) => one.name === name) ?? VIEWS[0];
  const mine = ++shown;
  byId("said").replaceChildren();
  for (const link of document.querySelectorAll("nav a")) {
    if (link.dataset.view === view.name) link.setAttribute("aria-current", "page"); else link.removeAttribute("aria-current");
  }
  document.title = `${view.title} – Trainers' desk`;
  const root = h("div.view", { id: `view-${view.name}` }, h("h1", {}, view.title));
  root.alive = () => mine === shown;  // a view that is left stops asking
  main.replaceChildren(root);
  await attempt(async () => (await import(`./${view.name}.js`)).show(root, rest));
}

function signIn() {
  shown += 1;
  document.querySelector(".top").hidden = true;
  document.title = "Sign in – Trainers' desk";
  const field = h("input", { id: "key", type: "password", autocomplete: "current-password", required: true, "aria-describedby": "why" });
  const why = h("p", { id: "why" }, "Your key is what Chargeline was started with; whoever runs it can tell you.");
  const form = h("form.signin", { onsubmit: (event) => { event.preventDefault(); attempt(enter); } },
    h("img", { src: "/page/icon.svg", alt: "", width: 56, height: 56 }),
    h("h1", {}, "Trainers' desk"), h("label", { for: "key" }, "Your key"), field, why, h("button.strong", {}, "Sign in"));
  async function enter() {
    const response = await fetch("/signin", { method: "POST", body: JSON.stringify({ key: field.value }), headers: { "content-type": "application/json" } });
    if (response.ok) { start(); return; }
    why.textContent = (await response.json().catch(() => ({}))).detail ?? "The desk does not answer.";
    why.className = "bad";
    field.setAttribute("aria-invalid", "true");
    field.select();
  }
  main.replaceChildren(form);
  field.focus();
}

async function start() {
  const me = await attempt(() => api("me"));
  if (!me) return;
  byId("trainer").textContent = me.trainer;
  document.querySelector(".top").hidden = false;
  await route();
}

document.querySelector("nav").append(h("ul", {}, VIEWS.map((view) =>
  h("li", {}, h("a", { href: `#${view.name}`, dataset: { view: view.name } }, view.title)))));
byId("leave").addEventListener("click", () => attempt(async () => { await fetch("/signin", { method: "DELETE" }); signIn(); }));
window.addEventListener("hashchange", () => { if (!document.querySelector(".top").hidden) { route(); main.focus(); } });
start();
