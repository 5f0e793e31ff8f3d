// The opened chat: puts header, live sessions, log, choices and text box together, and shows what the conversation tells.
import type { Problem } from "./api";
import { rating, SessionCard, type CardActions } from "./cards";
import { Composer } from "./composer";
import type { Audience, Conversation } from "./conversation";
import { h, icon } from "./dom";
import { duration } from "./format";
import { Header } from "./header";
import { Log } from "./log";
import type { Body, Entry, Pending, Session, State } from "./model";
import { newId } from "./queue";
import { fill, type Language, type Texts } from "./texts";

export interface Host {
  readonly page: boolean;
  readonly signedIn: boolean;
  charger(): { charger?: string; connector?: number };
  close(): void;
  language(language: Language): void;
  left(): void;
  notHere(): void;
  heard(entry: Entry): void;
  tell(name: string, detail?: unknown): void;
}

const ELAPSED_FROM_S = 3;

export class Panel implements Audience {
  readonly element: HTMLElement;
  readonly composer: Composer;
  readonly header: Header;
  private readonly log: Log;
  private readonly status = h("p", { role: "status", class: "said-status" });
  private readonly elapsed = h("span", { class: "elapsed", "aria-hidden": "true" });
  private readonly sessionBox = h("div", { class: "sessions" });
  private readonly choiceBox: HTMLElement;
  private readonly emptyBox: HTMLElement;
  private readonly chip: HTMLElement;
  private readonly cards = new Map<string, SessionCard>();
  private conversation: Conversation | undefined;
  private online = true;
  private working = false;
  private notice = "";
  private progress: { text: string; from: number; until: number } | undefined;
  private since = 0;
  private timer: ReturnType<typeof setInterval> | undefined;

  constructor(
    private readonly texts: Texts,
    private readonly language: Language,
    private readonly host: Host,
  ) {
    const titleId = "title";
    const cardActions: CardActions = {
      at: (charger) => this.say({ text: charger.id, charger: charger.id }, fill(texts.hereAt, { name: charger.name })),
      rate: (stars) => this.rate(stars),
      finish: () => this.say({ text: texts.finishWord }, texts.finishWord),
    };
    this.header = new Header(texts, language, { page: host.page, signedIn: host.signedIn, titleId }, {
      person: () => this.say({ text: texts.person }, texts.person),
      close: () => host.close(),
      language: (one) => host.language(one),
      transcript: () => void this.save(),
      rate: () => this.askRating(cardActions),
      end: () => host.left(),
    });
    this.log = new Log(texts, language, cardActions, (pending) => this.say(pending.body, pending.shown), () => void this.earlier());
    this.choiceBox = h("div", { class: "choices", part: "choices", role: "group", "aria-label": texts.choices });
    this.emptyBox = this.welcome();
    this.chip = h("div", { class: "chip", part: "charger-chip", hidden: true });
    this.composer = new Composer(texts, (text) => this.say({ text }, text), {
      begins: () => this.tellStatus(texts.locating),
      found: (place) => {
        this.tellStatus("");
        this.say({ location: place }, texts.locationShared);
      },
      failed: () => this.tellStatus(texts.locationFailed),
    });
    this.element = h(
      "div",
      { class: "panel", part: "panel", role: host.page ? "region" : "dialog", "aria-labelledby": titleId, lang: language, tabindex: "-1" },
      this.header.element,
      this.header.menu,
      this.chip,
      this.sessionBox,
      this.log.element,
      this.emptyBox,
      h("div", { class: "status", part: "status" }, h("span", { class: "dots", "aria-hidden": "true" }), this.status, this.elapsed),
      this.choiceBox,
      this.composer.element,
    );
    this.showCharger();
  }

  follow(conversation: Conversation): void {
    this.conversation = conversation;
    void conversation.about().then((about) => about && this.header.tell(about));
    this.timer = setInterval(() => this.tick(), 1000);
  }

  leave(): void {
    clearInterval(this.timer);
    this.conversation?.close();
  }

  say(body: Body, shown: string): void {
    this.notice = "";
    this.choices([]);
    void this.conversation?.say({ ...this.host.charger(), ...body }, shown);
  }

  focus(): void {
    // On a phone the keyboard would hide half of what is to be read first.
    if (matchMedia("(pointer: coarse)").matches) this.element.focus();
    else this.composer.box.focus();
  }

  shown(): void {
    this.log.toEnd();
  }

  showCharger(): void {
    const { charger, connector } = this.host.charger();
    this.chip.hidden = !charger;
    const label = (charger ?? "").replace(/^[A-Z]{1,3}-(?=\d)/, "");
    const text = connector ? fill(this.texts.atConnector, { charger: label, connector }) : fill(this.texts.atCharger, { charger: label });
    this.chip.replaceChildren(
      icon("pin"),
      h("span", {}, text),
      h("button", { type: "button", class: "icon tiny", "aria-label": this.texts.notHere, title: this.texts.notHere, click: () => this.host.notHere() }, icon("close")),
    );
    this.emptyBox.querySelector("p")!.textContent = charger ? fill(this.texts.emptyAt, { charger: label }) : this.texts.empty;
  }

  // --- what the conversation tells

  entry(entry: Entry, own: string | undefined): void {
    this.log.add(entry, own);
    this.hideEmpty();
    if (entry.author !== "driver") {
      this.progress = undefined;
      if (entry.custom?.kind === "progress") {
        const from = Date.parse(entry.at);
        this.progress = { text: entry.custom.text ?? "", from, until: from + entry.custom.within_s * 1000 };
      }
    }
    this.host.heard(entry);
    this.tick();
  }

  earlier(entries?: Entry[]): void {
    if (entries) return this.log.prepend(entries);
    void this.conversation?.earlier().then((more) => this.log.showMore(more)).catch(() => {});
  }

  pending(pending: Pending): void {
    this.log.addPending(pending);
    this.hideEmpty();
    this.host.tell("sent", { text: pending.shown });
  }

  accepted(clientId: string): void {
    this.log.accepted(clientId);
  }

  unsent(pending: Pending, why: string | null): void {
    this.log.unsent(pending, why);
    if (why !== null) this.tellStatus(why || this.texts.stale);
  }

  state(state: State): void {
    if (state.working !== this.working) this.since = Date.now();
    this.working = state.working;
    this.log.showMore((this.conversation?.transcript.oldest ?? 0) > 1);
    this.choices(state.choices);
    this.tick();
    // The past has been read: from here on what comes is news.
    setTimeout(() => this.log.goLive(), 50);
  }

  sessions(sessions: Session[]): void {
    for (const [id, card] of this.cards) {
      if (sessions.some((one) => one.id === id)) continue;
      card.element.remove();
      this.cards.delete(id);
    }
    for (const session of sessions) {
      const known = this.cards.get(session.id);
      if (known) known.update(session, Date.now());
      else {
        const actions = { finish: () => this.say({ text: this.texts.finishWord }, this.texts.finishWord) };
        const card = new SessionCard(session, this.texts, this.language, actions);
        this.cards.set(session.id, card);
        this.sessionBox.append(card.element);
      }
    }
    this.host.tell("session", sessions);
  }

  connected(online: boolean): void {
    this.online = online;
    this.tick();
  }

  refused(problem: Problem): void {
    this.notice = problem.status === 401 ? this.texts.signIn : problem.detail;
    this.tick();
    this.host.tell(problem.status === 401 ? "identify" : "error", problem);
  }

  // --- what is shown of it

  private tick(): void {
    const now = Date.now();
    const { texts } = this;
    if (this.progress && now > this.progress.until) this.progress = undefined;
    const text = this.notice || (!this.online ? texts.offline : this.progress?.text || (this.progress || this.working ? texts.working : ""));
    if (this.status.textContent !== text) this.status.textContent = text;
    const busy = this.online && !this.notice && Boolean(this.progress || this.working);
    const seconds = Math.floor((now - (this.progress?.from ?? this.since)) / 1000);
    this.elapsed.textContent = busy && seconds >= ELAPSED_FROM_S ? duration(seconds) : "";
    const box = this.status.parentElement!;
    box.classList.toggle("busy", busy);
    box.classList.toggle("bad", !this.online || Boolean(this.notice));
    for (const card of this.cards.values()) card.update(card.session, now);
  }

  private tellStatus(text: string): void {
    this.notice = text;
    this.tick();
  }

  private choices(tokens: string[]): void {
    const shown = [...this.choiceBox.children].map((one) => (one as HTMLElement).dataset["token"]).join();
    if (shown === tokens.join()) return;
    const held = this.choiceBox.contains((this.element.getRootNode() as ShadowRoot).activeElement);
    const buttons = tokens.flatMap((token) => {
      const title = this.conversation?.transcript.titleOf(token);
      if (!title) return [];
      const button = h("button", { type: "button", part: "choice", click: () => this.say({ choice: token }, title) }, title);
      button.dataset["token"] = token;
      return [button];
    });
    this.choiceBox.replaceChildren(...buttons);
    this.log.toEnd();
    if (held) this.composer.box.focus();
  }

  private welcome(): HTMLElement {
    const { texts } = this;
    const suggestions = [texts.s1, texts.s2, texts.s3, texts.s4].map((text) =>
      h("button", { type: "button", part: "choice", click: () => (this.say({ text }, text), this.composer.box.focus()) }, text),
    );
    return h(
      "div",
      { class: "empty", part: "empty" },
      h("span", { class: "logo", "aria-hidden": "true" }, icon("bolt", true)),
      h("strong", {}, texts.emptyTitle),
      h("p", {}, texts.empty),
      h("div", { class: "choices", role: "group", "aria-label": texts.suggestions }, ...suggestions),
    );
  }

  private hideEmpty(): void {
    this.emptyBox.hidden = !this.log.empty;
    this.element.classList.toggle("begun", !this.log.empty);
  }

  private askRating(actions: CardActions): void {
    const before = this.element.querySelector(".asked");
    before?.remove();
    const card = rating(this.texts, actions);
    card.classList.add("asked");
    this.choiceBox.before(card);
    card.querySelector("button")?.focus();
  }

  private async rate(stars: number): Promise<boolean> {
    try {
      const answer = await this.conversation!.api.post("rating", { client_id: newId(), stars });
      if (answer.ok) {
        this.host.tell("rating", { stars });
        const asked = this.element.querySelector(".asked");
        if (asked) setTimeout(() => asked.remove(), 2500);
      }
      return answer.ok;
    } catch {
      this.tellStatus(this.texts.offline);
      return false;
    }
  }

  private async save(): Promise<void> {
    const { texts, conversation } = this;
    if (!conversation) return;
    try {
      while (await conversation.earlier());
    } catch {
      // Without a connection what is known is saved.
    }
    const text = conversation.transcript.asText({ bot: texts.bot, driver: texts.you, person: texts.team }, this.language);
    const url = URL.createObjectURL(new Blob([`\ufeff${text}\n`], { type: "text/plain;charset=utf-8" }));
    const link = h("a", { href: url, download: `${texts.title} ${new Date().toISOString().slice(0, 10)}.txt` });
    this.element.append(link);
    link.click();
    link.remove();
    setTimeout(() => URL.revokeObjectURL(url), 10_000);
    this.host.tell("transcript");
  }
}
