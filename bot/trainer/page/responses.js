// What the bot says: every response in every language, reworded with a phone and the chat beside it. #responses/<name>
import { api, attempt, h, languageName, plural, say } from "./desk.js";

const CHANNELS = { "": "All channels", sms: "SMS only", whatsapp: "WhatsApp only", web: "Web chat only" };
const spoken = (name) => name.replace(/^(say|utter)_/, "").replaceAll("_", " ");

export async function show(root, [wanted = ""]) {
  const list = h("ul.list", {});
  const work = h("section.card.stack", { "aria-label": "The response" });
  const count = h("p.quiet", { role: "status" });
  const words = h("input", { type: "search", placeholder: "Search names and words", "aria-label": "Search names and words", oninput: () => drawList() });
  const which = h("select", { "aria-label": "Which", onchange: () => drawList() },
    h("option", { value: "" }, "All"), h("option", { value: "missing" }, "Missing in a language"), h("option", { value: "mind" }, "With something to mind"));
  root.append(h("div.line.filters", {}, words, which, count));
  const broken = h("div.stack", {});
  root.append(broken, h("div.inbox", {}, h("nav.card", { "aria-label": "Responses" }, list), work));
  let all = null, at = wanted;

  const minds = (row) => Object.values(row.texts).some((cells) => Object.values(cells).some((cell) => cell.mind.length));
  async function load() {
    all = await api("responses");
    if (!root.alive()) return;
    broken.replaceChildren(...all.broken.map((one) => h("p.notice.bad", {}, h("strong", {}, `${one.file}, line ${one.line}: `), `${one.reason}. Nothing is written into this file until it is mended.`)));
    drawList();
  }

  function drawList() {
    const q = words.value.toLowerCase();
    const rows = all.responses.filter((row) =>
      (which.value !== "missing" || row.missing.length) && (which.value !== "mind" || minds(row)) &&
      (!q || spoken(row.name).includes(q) || Object.values(row.texts).some((cells) => Object.values(cells).some((cell) => cell.text.toLowerCase().includes(q)))));
    count.textContent = `${plural(rows.length, "response")} in ${all.languages.map(languageName).join(", ")}`;
    if (!rows.some((row) => row.name === at)) at = rows[0]?.name;
    list.replaceChildren(...rows.map((row) => h("li", {}, h("button.row", { type: "button", "aria-current": row.name === at ? "true" : null, onclick: () => { at = row.name; drawList(); work.querySelector("h2")?.focus(); } },
      h("span.said", {}, spoken(row.name)),
      h("span.meta", {}, row.missing.map((code) => h("span.chip.warn", {}, `no ${languageName(code)}`)), minds(row) ? h("span.chip", {}, "mind") : null)))));
    const row = rows.find((one) => one.name === at);
    if (row) draw(row); else work.replaceChildren(h("p.quiet", {}, "No response is like that."));
  }

  function draw(row) {
    work.replaceChildren(h("h2", { tabindex: "-1" }, spoken(row.name)), h("p.quiet.small", {}, h("code", {}, row.name)),
      ...all.languages.map((code) => one(row, code)));
  }

  function one(row, language) {
    const id = `${row.name}-${language}`;
    const cells = row.texts[language] ?? {};
    const channel = h("select", { "aria-label": `Channel, ${languageName(language)}` }, Object.entries(CHANNELS).map(([value, text]) => h("option", { value }, cells[value || "all"] || !value ? text : `${text} (as all)`)));
    const field = h("textarea", { id, rows: 3, lang: language });
    const phone = h("div.preview.phone", {});
    const chat = h("div.preview.chat", {});
    const costs = h("p.small", { role: "status" });
    const mind = h("ul.small.warn", {});
    const save = h("button.strong", { type: "button", onclick: store }, "Save");
    const kept = () => cells[channel.value || "all"]?.text ?? null;
    let soon;
    function fill() { field.value = kept() ?? (channel.value ? cells.all?.text ?? "" : ""); look(); }
    async function look() {
      save.disabled = field.value === kept() || !field.value.trim();
      if (!field.value.trim()) { phone.replaceChildren(h("span.quiet", {}, "nothing yet")); chat.replaceChildren(); costs.textContent = ""; mind.replaceChildren(); return; }
      const told = await attempt(() => api("responses/preview", { method: "POST", body: { text: field.value, language, channel: channel.value } }));
      if (!told || !root.isConnected) return;
      phone.replaceChildren(h("span.bubble", { lang: language }, told.sms));
      chat.replaceChildren(h("span.bubble", { lang: language }, told.web));
      costs.textContent = `${plural(told.segments, "SMS segment")}, ${told.units} characters of ${told.encoding}`;
      mind.replaceChildren(...told.mind.map((line) => h("li", {}, line)));
    }
    async function store() {
      const told = await attempt(() => api("responses/reword", { method: "POST", body: { language, name: row.name, channel: channel.value, old: kept(), text: field.value } }));
      if (!told) return;
      say(told.warning ?? `${told.summary} – the bot says it from now on.`, { undo: async () => { if (await attempt(() => api("data/undo", { method: "POST", body: { decision: told.decision } }))) { say("Undone."); load(); } } });
      await load();
    }
    field.addEventListener("input", () => { clearTimeout(soon); soon = setTimeout(look, 200); });
    channel.addEventListener("change", fill);
    fill();
    return h("section.wording", { "aria-label": languageName(language) },
      h("div.line", {}, h("h3", {}, h("label", { for: id }, languageName(language))), row.missing.includes(language) ? h("span.chip.warn", {}, "missing: English is said") : null, channel),
      h("div.beside", {}, h("div.stack", {}, field, mind, h("div.line", {}, save, costs)),
        h("figure", {}, phone, h("figcaption.small.quiet", {}, "on a phone")), h("figure", {}, chat, h("figcaption.small.quiet", {}, "in the chat"))));
  }
  await load();
}
