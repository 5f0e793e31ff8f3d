// The inbox: what drivers wrote that is worth a look, most useful first; label, mark, split, skip. Made for the keyboard.
import { api, attempt, h, languageName, percent, plural, problemName, say, when } from "./desk.js";
import { exampleEditor } from "./marking.js";

const REASONS = {
  marked: "Marked wrong", corrected: "Corrected by the driver", not_understood: "Not understood", handed_over: "Handed over",
  close_call: "Close call", unsure: "Unsure", new_words: "New words",
};
const CHANNELS = { sms: "SMS", whatsapp: "WhatsApp", web: "Web chat", terminal: "Terminal" };
const LOUD = new Set(["marked", "corrected", "not_understood"]);
const AGAIN_MS = 8000;
const KEYS = [["J", "next"], ["K", "previous"], ["1 – 5", "take that meaning"], ["Enter", "save the label"], ["N", "not ours"], ["S", "skip"], ["T", "two problems"], ["W", "mark as wrong"], ["U", "undo the last"], ["/", "search"]];

export async function show(root) {
  const data = await api("data");
  const list = h("ul.list", {});
  const work = h("section.card.stack", { "aria-label": "The message" });
  const count = h("p.quiet", { role: "status" });
  const note = h("p.notice", { hidden: true });
  const fields = {
    reason: choice("Why", [["", "Worth a look"], ...Object.entries(REASONS), ["all", "Everything recent"]]),
    language: choice("Language", [["", "All languages"], ...data.languages.map((code) => [code, languageName(code)])]),
    channel: choice("Channel", [["", "All channels"], ...Object.entries(CHANNELS)]),
    q: h("input", { type: "search", placeholder: "Search", "aria-label": "Search" }),
  };
  let groups = [], at = null, current = null, last = null, asked = 0;

  function choice(label, options) {
    return h("select", { "aria-label": label, onchange: () => load() }, options.map(([value, text]) => h("option", { value }, text)));
  }
  fields.q.addEventListener("input", () => load());
  root.append(
    h("div.line.filters", {}, Object.values(fields), count),
    note,
    h("div.inbox", {}, h("nav.card", { "aria-label": "Messages" }, list), work),
    h("details.small.quiet.keys", {}, h("summary", {}, "Keys"),
      h("dl", {}, KEYS.map(([key, what]) => h("div", {}, h("dt", {}, h("kbd", {}, key)), h("dd", {}, what))))));

  async function load() {
    const mine = ++asked;
    const query = new URLSearchParams(Object.entries(fields).map(([key, field]) => [key, field.value]).filter(([, value]) => value));
    let found;
    try { found = await api(`inbox?${query}`); } catch (error) {
      if (error.status === 401) return;
      note.hidden = false;
      note.textContent = error.message;
      return;
    }
    if (mine !== asked || !root.alive()) return;
    groups = found.groups;
    note.hidden = !found.note;
    note.textContent = found.note ?? "";
    for (const option of fields.reason.options) {
      if (REASONS[option.value]) option.textContent = `${REASONS[option.value]}${found.reasons[option.value] ? ` (${found.reasons[option.value]})` : ""}`;
    }
    count.textContent = found.count ? `${plural(found.count, "decision")} for ${plural(found.messages, "message")}` : "";
    drawList();
    if (!groups.some((group) => group.id === at)) open(groups[0] ?? null);
    else if (!groups.length) open(null);
  }

  function drawList() {
    list.replaceChildren(...groups.map((group) => h("li", {},
      h("button.row", { type: "button", "aria-current": group.id === at ? "true" : null, dataset: { id: group.id }, onclick: () => open(group, true) },
        h("span.said", {}, group.messages[0].text),
        h("span.meta", {},
          group.messages.length > 1 ? h("span.chip.good", {}, `${group.messages.length} alike`) : null,
          group.reasons.slice(0, 2).map((reason) => h(LOUD.has(reason) ? "span.chip.warn" : "span.chip", {}, REASONS[reason])),
          h("span.quiet.small", {}, group.language.toUpperCase()))))));
  }

  function open(group, focus = false) {
    at = group?.id ?? null;
    for (const button of list.querySelectorAll("button")) {
      if (button.dataset.id === at) { button.setAttribute("aria-current", "true"); button.scrollIntoView({ block: "nearest" }); }
      else button.removeAttribute("aria-current");
    }
    if (!group) {
      current = null;
      work.replaceChildren(h("div.empty", {}, h("h2", {}, "Nothing waits for you"), h("p.quiet", {}, "What the bot is sure of and drivers did not correct is not shown. “Everything recent” lists it all, and any message can be marked as wrong there.")));
      return;
    }
    current = draw(group);
    if (focus) work.querySelector("h2").focus();
  }

  function draw(group) {
    const first = group.messages[0];
    const editors = [exampleEditor(data, first.text, first.language)];
    const others = distinct(group.messages.slice(1), first.text);
    const boxes = others.map((message) => ({ message, box: h("input", { type: "checkbox", checked: true, id: `with-${message.id}` }) }));
    const meanings = h("div.meanings", { role: "group", "aria-label": "What the model takes it for" });
    const second = h("div.stack", { hidden: true });
    const together = h("fieldset.stack", { hidden: !others.length },
      h("legend", {}, `Also say this (${others.length})`),
      boxes.map(({ message, box }) => h("label.row", { for: box.id }, box, message.text)));
    const talk = h("ol.talk", { "aria-label": "The conversation", tabindex: "0" });
    const save = h("button.strong", { type: "button", onclick: () => label() }, "Save the label");
    const splitting = h("button", { type: "button", "aria-pressed": "false", onclick: split }, "Two problems");
    let ranking = group.meant ? [[group.meant, null], ...first.ranking.filter(([name]) => name !== group.meant)] : first.ranking;

    work.replaceChildren(
      h("div.line", {}, h("h2", { tabindex: "-1" }, `“${first.text}”`)),
      h("p.line", {}, group.reasons.map((reason) => h(LOUD.has(reason) ? "span.chip.warn" : "span.chip", {}, REASONS[reason])),
        h("span.quiet.small", {}, `${CHANNELS[first.channel] ?? first.channel}, ${languageName(first.language)}, `, when(first.at)),
        first.new_words.length ? h("span.quiet.small", {}, `new: ${first.new_words.slice(0, 5).join(", ")}`) : null),
      meanings, editors[0].element, second, together,
      h("div.line.acts", {}, save,
        h("button", { type: "button", onclick: () => label("out_of_scope") }, "Not ours"),
        h("button", { type: "button", onclick: skip }, "Skip"), splitting),
      h("section.stack", {}, h("h3", {}, "The conversation"), talk));
    drawMeanings();
    attempt(async () => {
      const seen = await api(`inbox/message/${encodeURIComponent(group.id)}`);
      if (at !== group.id || !root.alive()) return;
      if (seen.suggestions.meanings.length) {
        ranking = seen.suggestions.meanings;
        if (group.meant) ranking = [[group.meant, null], ...ranking.filter(([name]) => name !== group.meant)];
        editors[0].suggest(seen.suggestions.spans);
        drawMeanings();
      }
      drawTalk(seen.lines);
    });

    function drawMeanings() {
      const shown = ranking.filter(([name]) => data.intents.some((intent) => intent.name === name)).slice(0, 5);
      meanings.replaceChildren(...shown.map(([name, share], place) => h("button", {
        type: "button", "aria-pressed": String(editors.at(-1).intent === name),
        onclick: () => { editors.at(-1).intent = name; drawMeanings(); },
      }, h("kbd", { "aria-hidden": "true" }, String(place + 1)), ` ${problemName(name)} `, h("span.quiet.small", {}, share === null ? "the driver chose this" : percent(share)))));
      meanings.hidden = !shown.length;
    }
    for (const editor of editors) editor.onchange = drawMeanings;

    function drawTalk(lines) {
      talk.replaceChildren(...lines.map((line) => h(`li.${line.author}${line.id === group.id ? ".this" : ""}`, {},
        h("span.hidden", {}, line.author === "driver" ? "Driver: " : line.author === "person" ? "Person: " : "Bot: "),
        h("span.bubble", {}, line.text, line.choices.length ? h("span.choices", {}, line.choices.map((title) => h("span", {}, title))) : null),
        line.author === "driver" ? h("span.small.quiet.line", {},
          line.understood ? takenAs(line) : null,
          h("button.plain.small", { type: "button", "aria-pressed": String(line.wrong), "aria-label": `${line.wrong ? "Marked as wrong" : "Mark as wrong"}: ${line.text.slice(0, 60)}`, onclick: () => wrong(line, lines) }, line.wrong ? "Marked as wrong" : "Mark as wrong")) : null)));
      const here = talk.querySelector(".this");
      if (here) talk.scrollTop = Math.max(0, here.offsetTop - talk.offsetTop - 60);
    }

    async function wrong(line, lines) {
      const told = await attempt(() => api("inbox/wrong", { method: "POST", body: { message: line.id, wrong: !line.wrong } }));
      if (!told) return;
      line.wrong = told.wrong;
      drawTalk(lines);
      say(told.wrong ? "Marked as wrong. It comes first in the inbox now." : "The mark is gone.");
      load();
    }

    function split() {
      if (editors.length > 1) {
        editors.pop();
        second.replaceChildren();
        second.hidden = true;
      } else {
        editors.push(exampleEditor(data, first.text, first.language, "The second problem"));
        editors[1].onchange = drawMeanings;
        second.replaceChildren(editors[1].element);
        second.hidden = false;
        editors[1].focus();
      }
      together.hidden = editors.length > 1 || !others.length;
      splitting.setAttribute("aria-pressed", String(editors.length > 1));
      drawMeanings();
    }

    async function label(intent) {
      if (intent) editors[0].intent = intent;
      const open = editors.find((editor) => !editor.intent);
      if (open) { say("Choose what it means first.", { bad: true }); open.focusIntent(); return; }
      const examples = editors.map((editor) => editor.example());
      let messages = [first.id];
      if (editors.length === 1) {
        const chosen = boxes.filter(({ box }) => box.checked).map(({ message }) => message);
        examples.push(...chosen.map((message) => ({ text: message.text, spans: [], intent: editors[0].intent, language: message.language })));
        const texts = new Set([first.text, ...chosen.map((message) => message.text)]);
        messages = group.messages.filter((message) => texts.has(message.text)).map((message) => message.id);
      }
      await decide(group, messages, "label", { messages, examples });
    }
    const skipped = () => group.messages.map((message) => message.id);
    async function skip() { await decide(group, skipped(), "skip", { messages: skipped() }); }
    const take = (place) => { const button = meanings.children[place]; if (button) button.click(); };
    return { label, skip, split, take, wrong: () => talk.querySelector(".this button")?.click() };
  }

  async function decide(group, messages, path, body) {
    const told = await attempt(() => api(`inbox/${path}`, { method: "POST", body }));
    if (!told) { load(); return; }
    last = told.decision;
    const place = groups.indexOf(group);
    groups = groups.filter((one) => one !== group);
    drawList();
    open(groups[Math.min(place, groups.length - 1)] ?? null, true);
    say(told.warning ?? told.summary, { undo: () => undo(told.decision) });
    load();
  }

  async function undo(decision) {
    if (!decision) return;
    const told = await attempt(() => api("data/undo", { method: "POST", body: { decision } }));
    last = null;
    if (told) say(told.warning ?? `Undone: ${told.summary}`);
    load();
  }

  function step(by) {
    const place = groups.findIndex((group) => group.id === at);
    const next = groups[Math.max(0, Math.min(groups.length - 1, place + by))];
    if (next) open(next, true);
  }

  function onKey(event) {
    if (!root.isConnected) { document.removeEventListener("keydown", onKey); return; }
    const inField = event.target.closest("input, select, textarea");
    if (event.ctrlKey || event.metaKey || event.altKey) return;
    if (event.key === "Escape" && inField) { inField.blur(); return; }
    if (inField) return;
    if (event.key === "Enter" && event.target.closest("button, a, summary")) return;
    const acts = {
      j: () => step(1), k: () => step(-1), Enter: () => current?.label(), n: () => current?.label("out_of_scope"), s: () => current?.skip(),
      t: () => current?.split(), w: () => current?.wrong(), u: () => undo(last), "/": () => fields.q.focus(),
    };
    const act = acts[event.key] ?? (/^[1-5]$/.test(event.key) ? () => current?.take(Number(event.key) - 1) : null);
    if (act) { event.preventDefault(); attempt(async () => act()); }
  }
  document.addEventListener("keydown", onKey);

  await load();
  const again = setInterval(() => {
    if (!root.isConnected) { clearInterval(again); return; }
    if (!document.hidden) load();
  }, AGAIN_MS);
}

function takenAs(line) {
  if (line.understood === "nlu_fallback") return "not understood";
  return `taken as ${problemName(line.understood)}${line.confidence ? `, ${percent(line.confidence)}` : ""}`;
}

function distinct(messages, except) {
  const seen = new Set([except]);
  return messages.filter((message) => !seen.has(message.text) && seen.add(message.text));
}
