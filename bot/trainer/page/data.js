// The data: how much of what there is, what is wrong with it, each example with what can be done to it, and what was done. #data/<part>
import { api, attempt, h, languageName, plural, problemName, say, when } from "./desk.js";
import { exampleEditor, markedText } from "./marking.js";

const PARTS = [["", "Health"], ["examples", "Examples"], ["counts", "Counts"], ["history", "History"]];

export async function show(root, [part = "", wanted = ""]) {
  const data = await api("data");
  const tabs = h("nav.tabs", { "aria-label": "Parts of the data" }, h("ul", {}, PARTS.map(([name, title]) =>
    h("li", {}, h("a", { href: name ? `#data/${name}` : "#data", "aria-current": name === part ? "page" : null }, title)))));
  root.append(tabs);
  for (const broken of part ? data.broken : []) {  // under Health it is a finding like the others
    root.append(h("p.notice.bad", {}, h("strong", {}, `${broken.file}, line ${broken.line}: `), `${broken.reason}. Nothing in this file is learned, and nothing is written into it until it is mended.`));
  }
  const shows = { examples, counts, history };
  await (shows[part] ?? health)(root, data, wanted);
}

// --- health
async function health(root, data) {
  const list = h("div.stack", {}, h("p.quiet", { role: "status" }, "Looking through the data …"));
  const rasa = h("section.card.stack", {});
  root.append(list, rasa);
  drawRasa(await api("data/validation"));
  await load();

  async function load(quick = false) {
    const told = await attempt(() => api("data/health"));
    if (!told || !root.alive()) return;
    list.replaceChildren(...told.findings.map((finding) => card(finding)));
    if (!told.findings.length) list.append(h("p.card.good", {}, "Nothing to mend."));
    if (!quick) await loadAlike();
  }

  async function loadAlike() {
    const waiting = h("p.quiet.small", { role: "status" }, "Comparing all examples by their sense …");
    list.append(waiting);
    const told = await attempt(() => api("data/health?alike=1"));
    if (!root.alive()) return;
    const finding = told?.alike?.finding;
    if (finding) waiting.replaceWith(card(finding));
    else waiting.textContent = told?.alike?.away ? `Examples could not be compared by their sense: ${told.alike.away}` : "No two examples of nearly one sense have two meanings.";
  }

  function card(finding) {
    const more = finding.count - finding.items.length;
    return h("details.card.finding", { open: finding.grave && finding.count < 20 },
      h("summary", {}, h("h2", {}, finding.title, " ", h(finding.grave ? "span.chip.bad" : "span.chip", {}, String(finding.count)))),
      h("p.quiet", {}, finding.why),
      h("ul.items", {}, finding.items.map((item) => h("li", {},
        item.note ? h("p", {}, item.note) : null,
        item.rows.length ? rows(item.rows, data, () => load(true)) : null))),
      more > 0 ? h("p.quiet.small", {}, `and ${more.toLocaleString("en")} more`) : null);
  }

  function drawRasa(told) {
    const state = told.running ? `Rasa is checking (started by ${told.started_by}) …`
      : told.passed === null ? (told.said[0] ?? "Rasa has a check of its own: it holds data, domain and rules together.")
      : `${told.passed ? "Rasa's own check passes" : "Rasa's own check fails"}${told.of_present_data ? "." : ", on the data as it was before the last change."}`;
    rasa.replaceChildren(h("h2", {}, "Rasa's own check"),
      h("p", { role: "status", class: told.passed === false ? "bad" : told.passed ? "good" : "quiet" }, state),
      ...(told.passed !== null && told.said.length ? [h("ul.items.small", {}, told.said.map((line) => h("li", {}, line)))] : []),
      h("div.line", {}, h("button", { type: "button", disabled: told.running, onclick: async () => { const begun = await attempt(() => api("data/validation", { method: "POST", body: {} })); if (begun) { drawRasa(begun); follow(); } } }, "Check now")));
    if (told.running) follow();
  }
  let following = false;
  async function follow() {
    if (following) return;
    following = true;
    let told = { running: true };
    while (told?.running && root.alive()) {
      await new Promise((done) => setTimeout(done, 1500));
      told = await attempt(() => api("data/validation"));
    }
    following = false;
    if (told && root.alive()) drawRasa(told);
  }
}

// --- examples
function rows(found, data, changed) {
  return h("ul.rows", {}, found.map((row) => {
    const act = h("div.stack", { hidden: true });
    const place = { file: row.file, intent: row.intent, line: row.line };
    const tell = (told) => {
      if (!told) return;
      say(told.warning ?? told.summary, { undo: async () => { if (await attempt(() => api("data/undo", { method: "POST", body: { decision: told.decision } }))) { say("Undone."); changed(); } } });
      changed();
    };
    const post = async (path, body) => tell(await attempt(() => api(`data/${path}`, { method: "POST", body: { ...place, ...body } })));
    function edit() {
      if (!act.hidden) { act.hidden = true; return; }
      const editor = exampleEditor(data, row.text, row.language, "Reword or move");
      editor.suggest(row.spans);
      editor.intent = row.intent;
      act.replaceChildren(editor.element, h("div.line", {},
        h("button.strong", { type: "button", onclick: async () => {
          const made = editor.example();
          if (made.intent !== row.intent) await post("move", { to: made.intent });
          else await post("reword", { text: made.text, spans: made.spans });
        } }, "Save"),
        h("button", { type: "button", onclick: () => post("remove", {}) }, "Remove this example"),
        h("button.plain", { type: "button", onclick: () => { act.hidden = true; } }, "Leave it")));
      act.hidden = false;
      editor.focus();
    }
    return h("li", {}, h("div.line", {},
      h("span.words", {}, markedText(row, data.entities)),
      h("span.chip", {}, problemName(row.intent)), h("span.quiet.small", {}, `${languageName(row.language)}, ${row.file}:${row.number}`),
      h("button.plain.small", { type: "button", "aria-label": `Change: ${row.text.slice(0, 80)}`, onclick: edit }, "Change")), act);
  }));
}

async function examples(root, data, wanted) {
  const intent = h("select", { "aria-label": "Meaning" }, h("option", { value: "" }, "All meanings"), data.intents.map((one) => h("option", { value: one.name }, problemName(one.name))));
  const language = h("select", { "aria-label": "Language" }, h("option", { value: "" }, "All languages"), data.languages.map((code) => h("option", { value: code }, languageName(code))));
  const words = h("input", { type: "search", placeholder: "Search", "aria-label": "Search" });
  const count = h("p.quiet", { role: "status" });
  const found = h("section.card", { "aria-label": "Examples" });
  const adding = h("details.card", {});
  intent.value = wanted;
  for (const field of [intent, language, words]) field.addEventListener("input", () => load());
  root.append(h("div.line.filters", {}, intent, language, words, count), adding, found);
  drawAdding();

  function drawAdding() {
    const editor = exampleEditor(data, "", language.value || data.languages[0], "A new example");
    editor.intent = intent.value;
    adding.replaceChildren(h("summary", {}, "Add an example"), editor.element,
      h("button.strong", { type: "button", onclick: async () => {
        const told = await attempt(() => api("data/add", { method: "POST", body: editor.example() }));
        if (told) { say(told.warning ?? told.summary); drawAdding(); load(); }
      } }, "Add"));
  }
  let asked = 0;
  async function load() {
    const mine = ++asked;
    const query = new URLSearchParams({ intent: intent.value, language: language.value, q: words.value });
    const told = await attempt(() => api(`data/examples?${query}`));
    if (!told || mine !== asked || !root.alive()) return;
    count.textContent = told.count > told.examples.length ? `the first ${told.examples.length} of ${plural(told.count, "example")}` : plural(told.count, "example");
    found.replaceChildren(told.examples.length ? rows(told.examples, data, load) : h("p.quiet", {}, "No example is like that."));
  }
  await load();
}

// --- counts
async function counts(root, data) {
  const most = Math.max(...data.intents.flatMap((one) => Object.values(one.counts)), 1);
  root.append(h("div.card.scroll", { tabindex: "0", role: "region", "aria-label": "Examples by meaning and language" }, h("table", {},
    h("thead", {}, h("tr", {}, h("th", { scope: "col" }, "Meaning"), data.languages.map((code) => h("th.number", { scope: "col" }, languageName(code))))),
    h("tbody", {}, data.intents.map((one) => h("tr", {},
      h("th", { scope: "row" }, h("a", { href: `#data/examples/${encodeURIComponent(one.name)}` }, problemName(one.name))),
      data.languages.map((code) => h("td.number", {}, h("meter", { min: 0, max: most, value: one.counts[code], "aria-hidden": "true" }), ` ${one.counts[code]}`))))))));
}

// --- history
async function history(root) {
  const list = h("ol.card.history", {});
  root.append(list);
  async function load() {
    const told = await attempt(() => api("data/history"));
    if (!told || !root.alive()) return;
    list.replaceChildren(...told.decisions.map((one) => h("li", {},
      h("span", {}, h("strong", {}, one.trainer), " ", one.summary), h("span.quiet.small", {}, when(one.at)),
      one.undone_at ? h("span.chip", {}, `undone by ${one.undone_by}`)
        : h("button.plain.small", { type: "button", "aria-label": `Undo: ${one.summary.slice(0, 80)}`, onclick: async () => { if (await attempt(() => api("data/undo", { method: "POST", body: { decision: one.id } }))) { say("Undone."); load(); } } }, "Undo"))));
    if (!told.decisions.length) list.replaceChildren(h("li.quiet", {}, "Nothing was decided yet."));
  }
  await load();
}
