// The view "models": train, compare with the live model, promote, roll back, and who decided what. #models/<id> is one model's report.
import { api, attempt, h, languageName, percent, plural, problemName, say, when } from "./desk.js";

const short = (id) => id.slice(0, 8);
const answerName = (answer) => problemName(answer);
const PACE_MS = 1000;
// In place of what the element holds; what is null or false is left out.
const fill = (element, ...children) => element.replaceChildren(...children.filter(Boolean));

export async function show(root, [id] = []) {
  const page = id ? oneModel(root, id) : allModels(root);
  await page.load();
}

// --- all models
function allModels(root) {
  const state = h("section.card.stack", { "aria-labelledby": "live-title" });
  const job = h("section.card.stack", { "aria-labelledby": "job-title", hidden: true });
  const shelf = h("section.card.stack", { "aria-labelledby": "shelf-title" });
  const history = h("section.card.stack", { "aria-labelledby": "history-title" });
  root.append(state, job, shelf, history);
  const jobs = follow(root, job, load);

  async function load() {
    const all = await attempt(() => api("models"));
    if (!all || !root.alive()) return;
    drawState(all);
    drawShelf(all);
    drawHistory(all);
    jobs.take(all.job);
  }

  function drawState(all) {
    const served = Object.keys(all.serving);
    const running = all.job?.state === "running";
    const folds = h("input", { type: "checkbox", id: "folds" });
    const why = h("input", { id: "back-why", maxlength: 500, placeholder: "why (for the history)" });
    fill(state,
      h("h2", { id: "live-title" }, "Live now"),
      all.live
        ? h("p", {}, h("strong", {}, link(all.live)), all.decided ? [", since ", when(all.decided.at), `, by ${all.decided.by}: “${all.decided.why}”`] : ", the newest one; nobody has decided yet")
        : h("p", {}, "There is no model yet."),
      h("p.quiet.small", {}, servingWords(all, served)),
      h("div.line", {},
        h("button.strong", { type: "button", id: "train", disabled: running, onclick: () => start("models/train", { cross_validation: folds.checked }) }, "Train and compare"),
        h("label.row", {}, folds, "with cross-validation (a minute or more)"),
        all.changed ? h("span.chip.warn", {}, "The data has changed since the live model was trained") : h("span.chip", {}, "The live model is trained on the present data")),
      all.before
        ? h("div.line", {},
          h("button.danger", { type: "button", id: "rollback", onclick: () => rollBack(why.value) }, `Roll back to ${short(all.before)}`),
          h("label.row", { for: "back-why" }, h("span.hidden", {}, "Why roll back"), why))
        : null);
  }

  function drawShelf(all) {
    fill(shelf, h("h2", { id: "shelf-title" }, "Models on the shelf"),
      all.models.length ? h("div.scroll", { tabindex: "0", role: "region", "aria-label": "Table of models" }, h("table", {},
        h("thead", {}, h("tr", {}, ["Model", "Made", "By", "Messages", "Against the live model", ""].map((head) => h("th", { scope: "col" }, head || h("span.hidden", {}, "What to do"))))),
        h("tbody", {}, all.models.map((one) => h("tr", {},
          h("th", { scope: "row" }, link(one.id), one.id === all.live ? h("span.chip.good", {}, "live") : null),
          h("td", {}, when(new Date(one.made * 1000).toISOString())),
          h("td", {}, one.by ?? "–"),
          h("td.number", {}, one.examples?.toLocaleString("en") ?? "–"),
          h("td", {}, one.id === all.live ? "" : one.against === all.live ? verdictWords(one) : h("span.quiet", {}, "not compared")),
          h("td", {}, one.id === all.live ? null : one.against === all.live
            ? h("a.button", { href: `#models/${one.id}` }, "Look")
            : h("button", { type: "button", disabled: all.job?.state === "running", "aria-label": `Compare ${short(one.id)} with the live model`, onclick: () => start(`models/${one.id}/compare`, {}) }, "Compare"))))))) : h("p.quiet", {}, "Nothing yet."));
  }

  function drawHistory(all) {
    fill(history, h("h2", { id: "history-title" }, "History"),
      all.history.length ? h("div.scroll", { tabindex: "0", role: "region", "aria-label": "Table of decisions" }, h("table", {},
        h("thead", {}, h("tr", {}, ["When", "Who", "What", "Why"].map((head) => h("th", { scope: "col" }, head)))),
        h("tbody", {}, all.history.map((row) => h("tr", {},
          h("td", {}, when(row.at)), h("td", {}, row.who),
          h("td", {}, `${row.did} ${short(row.model)}`, row.instead_of && row.instead_of !== row.model ? ` instead of ${short(row.instead_of)}` : "",
            row.override.map((stop) => h("span.chip.bad", {}, `override: ${problemName(stop.replaceAll("-", " "))}`))),
          h("td", {}, row.why)))))) : h("p.quiet", {}, "Nobody has decided anything yet."));
  }

  async function start(path, body) {
    const begun = await attempt(() => api(path, { method: "POST", body }));
    if (begun) await load();
  }

  async function rollBack(why) {
    const done = await attempt(() => api("models/rollback", { method: "POST", body: { why } }));
    if (!done) return;
    say(`${short(done.live)} is live again. Every Rasa process takes it within seconds.`);
    await load();
  }

  return { load };
}

function servingWords(all, served) {
  if (!served.length) return "No Rasa process has asked for the live model lately. It takes it when it starts, or when it next asks.";
  const broken = served.filter((name) => name.startsWith("!"));
  if (broken.length) return `A Rasa process could not load ${broken.map((name) => short(name.slice(1))).join(", ")} and goes on with the model that it had.`;
  return served.every((name) => name === all.live) ? "Every Rasa process serves it." : `Rasa still serves ${served.filter((name) => name !== all.live).map(short).join(", ")}; it takes the live one within seconds.`;
}

const link = (id) => h("a", { href: `#models/${id}` }, h("code", {}, short(id)));
const verdictWords = (one) => h("span", { class: one.may_promote ? "good" : "bad" }, one.verdict);

// --- a job's progress: asks once a second while one runs, and says aloud when it has ended
function follow(root, box, ended) {
  let known = null;
  let asking = false;
  const words = { train: "Training", compare: "Comparing", score: "Playing conversations" };

  function draw(job) {
    if (!job) { box.hidden = true; return; }
    const running = job.state === "running";
    box.hidden = false;
    const title = h("h2", { id: "job-title" }, running ? `${words[job.kind]} …` : `${words[job.kind]}: ${job.state}`);
    const share = job.of ? { value: job.done, max: job.of } : {};
    fill(box, title,
      running
        ? h("div.line", {}, h("progress", { ...share, "aria-label": job.phase || "starting" }), h("span", {}, job.of ? `${job.phase}: ${job.done} of ${job.of}` : job.phase || "starting"), h("span.quiet", {}, `${Math.round(job.seconds)} s`),
          h("button", { type: "button", onclick: () => attempt(async () => { draw((await api("models/job/cancel", { method: "POST", body: {} })).job); }) }, "Cancel"))
        : h("p", { class: job.state === "failed" ? "notice bad" : "" }, job.file ? h("code", {}, job.line ? `${job.file}:${job.line} ` : `${job.file} `) : null, job.words, h("span.quiet", {}, ` (${Math.round(job.seconds)} s)`)),
      !running && job.state === "done" && job.model ? h("p", {}, h("a.button", { href: `#models/${job.model}` }, "See the comparison")) : null);
  }

  async function ask() {
    if (asking) return;
    asking = true;
    while (root.alive()) {
      await new Promise((done) => setTimeout(done, PACE_MS));
      if (!root.alive()) break;
      const said = await attempt(() => api("models/job"));
      if (!said) continue;
      draw(said.job);
      if (said.job?.state !== "running") {
        if (said.job) say(said.job.words, { bad: said.job.state === "failed" });
        asking = false;
        known = said.job?.started;
        await ended();
        return;
      }
    }
    asking = false;
  }

  return {
    take(job) {
      if (!job) { box.hidden = true; return; }
      if (job.state === "running") { draw(job); ask(); } else if (known === job.started || !box.hidden) { draw(job); } else { draw(job); known = job.started; }
    },
  };
}

// --- one model
function oneModel(root, id) {
  const job = h("section.card.stack", { "aria-labelledby": "job-title", hidden: true });
  const body = h("div.stack");
  root.append(h("p", {}, h("a", { href: "#models" }, "← All models")), job, body);
  const jobs = follow(root, job, load);

  async function load() {
    const [all, one] = await Promise.all([attempt(() => api("models")), attempt(() => api(`models/${id}`))]);
    if (!all || !one || !root.alive()) return;
    jobs.take(all.job?.state === "running" ? all.job : null);
    const report = one.card.report;
    const isLive = all.live === id;
    fill(body,
      h("section.card.stack", { "aria-labelledby": "about" },
        h("h2", { id: "about" }, `Model ${short(id)}`, isLive ? h("span.chip.good", {}, "live") : null),
        h("p.quiet", {}, "Made ", when(new Date(one.made * 1000).toISOString()), one.by ? ` by ${one.by}` : "", one.examples ? ` from ${plural(one.examples, "message")}` : ""),
        findings(one.card.trained?.findings),
        report ? null : h("p", {}, "This model has not been compared yet."),
        isLive ? null : h("div.line", {},
          h("button", { type: "button", disabled: all.job?.state === "running", onclick: () => start(`models/${id}/compare`, {}) }, report ? "Compare anew" : "Compare with the live model"),
          h("button", { type: "button", disabled: all.job?.state === "running", onclick: () => start(`models/${id}/score`, { part: "short" }) }, "Play the danger conversations"),
          h("button", { type: "button", disabled: all.job?.state === "running", onclick: () => start(`models/${id}/score`, { part: "all" }) }, "Play every conversation (many minutes)"))),
      ...(report ? reportParts(report, id, all, isLive) : []));
  }

  async function start(path, what) {
    if (await attempt(() => api(path, { method: "POST", body: what }))) await load();
  }

  function reportParts(report, model, all, isLive) {
    const current = report.against === all.live;
    return [verdict(report, model, current, isLive, load), hazards(report.test.hazards), changes(report.test), traffic(report.traffic), scores(report.score), intents(report.test, report.folds), confusion(model)];
  }

  return { load };
}

function findings(found) {
  if (!found?.length) return null;
  return h("details", {}, h("summary", {}, `${plural(found.length, "remark")} on the data`),
    h("ul.stack", {}, found.map((one) => h("li.small", {}, one.file ? h("code", {}, `${one.file}:${one.line} `) : null, one.text))));
}

function verdict(report, model, current, isLive, done) {
  const stops = report.verdict.stops;
  const why = h("input", { id: "why", maxlength: 500, required: true, size: 40 });
  const override = h("input", { type: "checkbox", id: "override" });
  const form = h("form.stack", { onsubmit: (event) => { event.preventDefault(); promote(); } },
    h("label", { for: "why" }, "Why, for the history"), why,
    stops.length ? h("label.row", {}, override, `I set ${stops.length === 1 ? "this stop" : "these stops"} aside; my name and reason are kept with it`) : null,
    h("div.line", {}, h(stops.length ? "button.danger" : "button.strong", { id: "promote" }, stops.length ? "Promote all the same" : "Promote")));
  async function promote() {
    const said = await attempt(() => api(`models/${model}/promote`, { method: "POST", body: { why: why.value, override: override.checked } }));
    if (!said) return;
    say(`${short(model)} is live. Every Rasa process takes it within seconds.`);
    await done();
  }
  return h("section.card.stack", { "aria-labelledby": "verdict" },
    h("h2", { id: "verdict" }, "Verdict"),
    h("p", {}, h("strong", { class: stops.length ? "bad" : "good" }, report.verdict.words)),
    stops.length ? h("ul.stack", {}, stops.map((stop) => h("li.notice.bad", {}, stop.words))) : null,
    h("ul.stack", {}, report.verdict.notes.map((note) => h("li", {}, note.words))),
    h("p.quiet.small", {}, `Compared with ${short(report.against)} by ${report.by}, `, when(report.at)),
    isLive ? h("p", {}, "This model is live.") : current ? form : h("p.notice", {}, "Another model has gone live since; compare anew before this one can be promoted."));
}

function hazards(found) {
  const row = (name, side) => h("tr", {}, h("th", { scope: "row" }, name),
    h("td.number", {}, `${side.model} of ${found.messages}`), h("td.number", {}, `${side.together} of ${found.messages}`));
  return h("section.card.stack", { "aria-labelledby": "hazards" }, h("h2", { id: "hazards" }, "Dangers heard"),
    h("table", {}, h("thead", {}, h("tr", {}, h("th", { scope: "col" }, "Model"), h("th.number", { scope: "col" }, "by itself"), h("th.number", { scope: "col" }, "with the danger words"))),
      h("tbody", {}, row("Live", found.live), row("This one", found.candidate))),
    found.newly_missed.length ? h("ul", {}, found.newly_missed.map((one) => h("li", {}, h("span.chip.bad", {}, one.caught_by_words ? "only by words now" : "missed"), ` ${one.text}`))) : null);
}

function changes(test) {
  const kinds = { worse: "worse", better: "better", other: "neither" };
  const table = h("div.scroll", { tabindex: "0", role: "region", "aria-label": "Messages of the test set whose answer changes" });
  const buttons = ["all", ...Object.keys(kinds)].map((kind) => h("button", { type: "button", dataset: { kind }, onclick: () => draw(kind) },
    kind === "all" ? `All (${test.changes.length})` : `${kinds[kind][0].toUpperCase()}${kinds[kind].slice(1)} (${test[kind]})`));
  function draw(kind) {
    for (const button of buttons) button.setAttribute("aria-pressed", String(button.dataset.kind === kind));
    const rows = test.changes.filter((row) => kind === "all" || row.kind === kind);
    fill(table, rows.length ? h("table", {},
      h("thead", {}, h("tr", {}, ["", "Message", "Language", "Meant", "Live model", "This model"].map((head) => h("th", { scope: "col" }, head || h("span.hidden", {}, "Better or worse"))))),
      h("tbody", {}, rows.map((row) => h("tr", {},
        h("td", {}, h(`span.chip.${{ worse: "bad", better: "good", other: "warn" }[row.kind]}`, {}, kinds[row.kind])),
        h("td", {}, row.text), h("td", {}, languageName(row.language)), h("td", {}, problemName(row.meant)), side(row.live), side(row.candidate))))) : h("p.quiet", {}, "None."));
  }
  draw("all");
  return h("section.card.stack", { "aria-labelledby": "changes" }, h("h2", { id: "changes" }, "What changes on the test set"),
    h("p", {}, `${plural(test.messages, "message")}, right: ${share(test.accuracy.live)} live, ${share(test.accuracy.candidate)} with this model. `,
      Object.entries(test.languages).map(([language, row]) => `${languageName(language)} ${share(row.live)} → ${share(row.candidate)}`).join(", ")),
    h("div.line", { role: "group", "aria-label": "Which changes" }, buttons), table);
}

const share = (value) => `${(value * 100).toFixed(1)} %`;
const side = (one) => h("td", {}, answerName(one.answer), " ", h("span.quiet.small", {}, one.answer === one.likeliest ? percent(one.confidence) : `(${problemName(one.likeliest)}, ${percent(one.confidence)})`));

function traffic(found) {
  if (!found) return null;
  return h("section.card.stack", { "aria-labelledby": "traffic" }, h("h2", { id: "traffic" }, "What drivers wrote lately"),
    h("p", {}, found.messages ? `${plural(found.messages, "message")}, ${found.different} of them different. Understood now: ${found.understood_now}; no longer: ${found.no_longer_understood}; otherwise: ${found.understood_otherwise}.` : "No recent messages are kept."),
    found.dangers_lost.length ? h("div.notice.bad", {}, h("p", {}, "Heard as a danger until now, and no more:"), h("ul", {}, found.dangers_lost.map((text) => h("li", {}, text)))) : null,
    found.forgotten ? h("p.quiet", {}, "The messages themselves are older than they may be kept.") : null,
    found.changes.length ? h("div.scroll", { tabindex: "0", role: "region", "aria-label": "Recent messages whose answer changes" }, h("table", {},
      h("thead", {}, h("tr", {}, ["Message", "Times", "Live model", "This model", "Labelled"].map((head) => h("th", { scope: "col" }, head)))),
      h("tbody", {}, found.changes.map((row) => h("tr", {}, h("td", {}, row.text), h("td.number", {}, row.times), side(row.live), side(row.candidate), h("td", {}, row.meant ? problemName(row.meant) : "–")))))) : null);
}

function scores(found) {
  if (!found) return null;
  const row = (name, one) => one ? h("tr", {}, h("th", { scope: "row" }, name), ["scenarios", "wrong", "unsafe", "false_claims"].map((key) => h("td.number", {}, one[key]))) : null;
  return h("section.card.stack", { "aria-labelledby": "scores" }, h("h2", { id: "scores" }, "Played conversations"),
    h("table", {}, h("thead", {}, h("tr", {}, h("th", { scope: "col" }, "Model"), ["played", "ended wrong", "unsafe acts", "false claims"].map((head) => h("th.number", { scope: "col" }, head)))),
      h("tbody", {}, row("Live", found.live), row("This one", found.candidate))));
}

function intents(test, folds) {
  const rows = Object.entries(test.intents).sort(([, one], [, two]) => (one.candidate.f1 - one.live.f1) - (two.candidate.f1 - two.live.f1));
  const moved = (change) => h("td.number", { class: change < -0.005 ? "number bad" : change > 0.005 ? "number good" : "number" }, `${change >= 0 ? "+" : "−"}${Math.abs(change).toFixed(2)}`);
  return h("section.card.stack", { "aria-labelledby": "intents" }, h("h2", { id: "intents" }, "By intent"),
    h("div.scroll", { tabindex: "0", role: "region", "aria-label": "Figures by intent" }, h("table", {},
      h("thead", {}, h("tr", {}, ["Intent", "Messages", "Precision", "Recall", "F1", "F1 live", "Change", ...(folds ? ["F1 in cross-validation"] : [])].map((head, at) => h(at ? "th.number" : "th", { scope: "col" }, head)))),
      h("tbody", {}, rows.map(([name, row]) => h("tr", {}, h("th", { scope: "row" }, problemName(name)), h("td.number", {}, row.messages),
        [row.candidate.precision, row.candidate.recall, row.candidate.f1, row.live.f1].map((value) => h("td.number", {}, value.toFixed(2))), moved(row.candidate.f1 - row.live.f1),
        folds ? h("td.number", {}, folds.intents[name]?.f1.toFixed(2) ?? "–") : null))))));
}

function confusion(model) {
  const picture = (side, alt) => h("img", { src: `/api/models/${model}/confusion.svg?side=${side}`, alt, width: 900, height: 900, loading: "lazy" });
  return h("section.card.stack", { "aria-labelledby": "confusion" }, h("h2", { id: "confusion" }, "What is taken for what"),
    h("p.quiet", {}, "Rows are what was meant, columns what was understood; off the diagonal are the mistakes, which the table of changes spells out."),
    h("figure.scroll", { tabindex: "0", role: "region", "aria-label": "Confusion matrix of this model" }, picture("candidate", "Confusion matrix of this model on the test set")),
    h("details", {}, h("summary", {}, "The live model's"), picture("live", "Confusion matrix of the live model on the test set")));
}
