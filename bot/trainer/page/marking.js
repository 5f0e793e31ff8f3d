// One example that is being made: its words, its meaning, and the parts of it that are marked, with the mouse or with the keys.
import { h, languageName, problemName } from "./desk.js";

let made = 0;

// `words`: the text to begin with. What comes back: element, intent, example(), suggest(spans), focus(), focusIntent(), onchange.
export function exampleEditor(data, words, language, title = "Learn this") {
  const id = `example-${++made}`;
  let spans = [];
  let before = words;
  const field = h("textarea", { id, rows: 2, value: words, spellcheck: "false" });
  const seen = h("p.marked", { "aria-live": "polite" });
  const intents = h("select", { id: `${id}-intent` }, h("option", { value: "" }, "choose …"),
    data.intents.map((intent) => h("option", { value: intent.name }, problemName(intent.name))));
  const languages = h("select", { id: `${id}-language` }, data.languages.map((code) => h("option", { value: code }, languageName(code))));
  languages.value = data.languages.includes(language) ? language : data.languages[0];
  const editor = {
    onchange: () => {},
    get intent() { return intents.value; },
    set intent(name) { intents.value = name; editor.onchange(); },
    example: () => ({ text: field.value, spans, intent: intents.value, language: languages.value }),
    suggest(found) {
      if (spans.length || field.value !== words) return;
      spans = found.filter((span) => data.entities.includes(span.entity) && fits(span)).sort((a, b) => a.start - b.start);
      spans = spans.filter((span, place) => !place || span.start >= spans[place - 1].end);
      draw();
    },
    focus: () => field.focus(),
    focusIntent: () => intents.focus(),
    element: null,
  };
  intents.addEventListener("change", () => editor.onchange());

  const fits = (span) => span.start >= 0 && span.end <= field.value.length && span.start < span.end;
  // What was typed moves the marks behind it; a mark that was typed into is gone.
  field.addEventListener("input", () => {
    const now = field.value;
    let same = 0;
    while (same < Math.min(before.length, now.length) && before[same] === now[same]) same += 1;
    let tail = 0;
    while (tail < Math.min(before.length, now.length) - same && before.at(-1 - tail) === now.at(-1 - tail)) tail += 1;
    const end = before.length - tail, moved = now.length - before.length;
    spans = spans.flatMap((span) => {
      if (span.end <= same) return [span];
      if (span.start >= end) return [{ ...span, start: span.start + moved, end: span.end + moved }];
      return [];
    });
    before = now;
    draw();
  });
  // Alt and a digit marks what is selected.
  field.addEventListener("keydown", (event) => {
    const digit = /^Digit([1-9])$/.exec(event.code);
    if (!event.altKey || !digit || !data.entities[digit[1] - 1]) return;
    event.preventDefault();
    mark(data.entities[digit[1] - 1]);
  });

  function mark(entity) {
    let { selectionStart: start, selectionEnd: end } = field;
    const text = field.value;
    while (start < end && /\s/.test(text[start])) start += 1;
    while (end > start && /\s/.test(text[end - 1])) end -= 1;
    if (start === end) { // nothing is selected: the word at the cursor
      while (start > 0 && /\S/.test(text[start - 1])) start -= 1;
      while (end < text.length && /\S/.test(text[end])) end += 1;
    }
    if (start === end) return;
    spans = [...spans.filter((span) => span.end <= start || span.start >= end), { start, end, entity }].sort((a, b) => a.start - b.start);
    draw();
    field.focus();
  }

  function draw() {
    const parts = [];
    let at = 0;
    for (const span of spans) {
      parts.push(field.value.slice(at, span.start), h(`mark.mark-${1 + (data.entities.indexOf(span.entity) % 4)}`, {}, field.value.slice(span.start, span.end),
        h("small", {}, ` ${problemName(span.entity)}`),
        h("button.plain", { type: "button", "aria-label": `Take the mark off ${field.value.slice(span.start, span.end)}`, onclick: () => { spans = spans.filter((one) => one !== span); draw(); field.focus(); } }, "×")));
      at = span.end;
    }
    seen.replaceChildren(...parts, field.value.slice(at));
    seen.hidden = !spans.length;
  }

  editor.element = h("fieldset.example", {},
    h("legend", {}, title),
    h("label.hidden", { for: id }, "Its words"), field, seen,
    data.entities.length ? h("div.line.small", {}, h("span.quiet", {}, "Select a part, then mark it as"),
      data.entities.map((entity, place) => h("button.small", { type: "button", title: `Alt and ${place + 1}`, onclick: () => mark(entity) }, problemName(entity)))) : null,
    h("div.line", {}, h("label", { for: `${id}-intent` }, "means"), intents, h("label", { for: `${id}-language` }, "in"), languages));
  draw();
  return editor;
}

// An example with its marks shown.
export function markedText(row, entities) {
  const parts = [];
  let at = 0;
  for (const span of row.spans) {
    parts.push(row.text.slice(at, span.start), h(`mark.mark-${1 + (Math.max(0, entities.indexOf(span.entity)) % 4)}`, { title: problemName(span.entity) }, row.text.slice(span.start, span.end)));
    at = span.end;
  }
  return [...parts, row.text.slice(at)];
}
