// The list of what was said: one node a message, put in whole, so that a screen reader is told of it exactly once. What changes
// later (delivery, times) changes text that is there already, which a log does not announce.
import { customCard, type CardActions } from "./cards";
import { h, linked } from "./dom";
import { clock } from "./format";
import type { Entry, Pending } from "./model";
import type { Texts } from "./texts";

const NEAR_END_PX = 120;
type Sizes = { height: number; scroll: number };

export class Log {
  readonly element: HTMLElement;
  private readonly list = h("ol", { role: "list" });
  private readonly lines = new Map<string, HTMLLIElement>(); // by entry id or client id
  private readonly more: HTMLButtonElement;

  constructor(
    private readonly texts: Texts,
    private readonly language: string,
    private readonly actions: CardActions,
    private readonly retry: (pending: Pending) => void,
    earlier: () => void,
  ) {
    this.more = h("button", { type: "button", class: "small earlier", hidden: true, click: earlier }, texts.earlier);
    this.element = h(
      "div",
      // Not live before the past has been read: nobody wants sixty old messages announced.
      { class: "log", part: "log", role: "log", "aria-live": "off", "aria-relevant": "additions", "aria-label": texts.log, tabindex: "0" },
      this.more,
      this.list,
    );
    this.keepEnd();
  }

  /** What is at the end stays in sight when cards, choices or a keyboard take room from the log. */
  private keepEnd(): void {
    let last: Sizes = { height: 0, scroll: 0 };
    const note = () => (last = { height: this.element.clientHeight, scroll: this.element.scrollTop });
    this.element.addEventListener("scroll", note, { passive: true });
    new ResizeObserver(() => {
      if (this.element.scrollHeight - last.scroll - last.height < NEAR_END_PX) this.toEnd();
      note();
    }).observe(this.element);
  }

  get empty(): boolean {
    return this.list.childElementCount === 0;
  }

  goLive(): void {
    this.element.setAttribute("aria-live", "polite");
  }

  showMore(there: boolean): void {
    this.more.hidden = !there;
  }

  add(entry: Entry, own: string | undefined): void {
    const known = own && this.lines.get(own);
    if (known) {
      // The server may have changed it, for instance hidden a card number.
      const said = known.querySelector(".said");
      if (said && said.lastChild && said.lastChild.nodeValue !== entry.text) said.lastChild.nodeValue = entry.text;
      this.note(known, `${this.texts.delivered} ${clock(entry.at, this.language)}`, false);
      this.lines.set(entry.id, known);
      return;
    }
    if (!this.shows(entry)) return;
    this.append(entry.id, this.line(entry), entry.author === "driver");
  }

  prepend(entries: Entry[]): void {
    const before = this.element.scrollHeight - this.element.scrollTop;
    const live = this.element.getAttribute("aria-live") ?? "off";
    this.element.setAttribute("aria-live", "off");
    this.list.prepend(...entries.filter((entry) => this.shows(entry)).map((entry) => this.line(entry)));
    this.element.scrollTop = this.element.scrollHeight - before;
    setTimeout(() => this.element.setAttribute("aria-live", live), 500);
  }

  addPending(pending: Pending): void {
    if (this.lines.has(pending.client_id)) return;
    const line = this.item("driver", pending.shown, undefined, this.texts.sending, null);
    this.append(pending.client_id, line, true);
  }

  accepted(clientId: string): void {
    const line = this.lines.get(clientId);
    const text = line?.querySelector(".note")?.firstChild?.nodeValue ?? "";
    if (line && !text.startsWith(this.texts.delivered)) this.note(line, this.texts.sent, false);
  }

  /** `why` null: it goes out by itself; else the driver is asked to send it again. */
  unsent(pending: Pending, why: string | null): void {
    const line = this.lines.get(pending.client_id);
    if (!line) return;
    if (why === null) return this.note(line, this.texts.notYet, true);
    this.note(line, why ? `${this.texts.failed} ${why}` : this.texts.stale, true);
    line.querySelector(".retry")?.remove();
    const again = h("button", { type: "button", class: "small retry" }, this.texts.retry);
    again.addEventListener("click", () => {
      line.remove();
      this.lines.delete(pending.client_id);
      this.retry(pending);
    });
    line.append(again);
  }

  toEnd(): void {
    this.element.scrollTop = this.element.scrollHeight;
  }

  private append(id: string, line: HTMLLIElement, always: boolean): void {
    const { scrollHeight, scrollTop, clientHeight } = this.element;
    const near = scrollHeight - scrollTop - clientHeight < NEAR_END_PX;
    this.lines.set(id, line);
    this.list.append(line);
    if (near || always) this.toEnd();
  }

  /** Rasa gives what is beside the words as a reply of its own; what has no card, as progress has none, is no line. */
  private shows(entry: Entry): boolean {
    return Boolean(entry.text || this.card(entry));
  }

  private card(entry: Entry): HTMLElement | null {
    return entry.custom ? customCard(entry.custom, this.texts, this.language, this.actions) : null;
  }

  private line(entry: Entry): HTMLLIElement {
    const card = this.card(entry);
    const when = clock(entry.at, this.language);
    const note = entry.author === "driver" ? `${this.texts.delivered} ${when}` : when;
    const line = this.item(entry.author, entry.text, entry.agent, note, card, entry.lang);
    if (entry.choices?.length) line.append(h("span", { class: "hidden" }, this.texts.choicesHint));
    this.lines.set(entry.id, line);
    return line;
  }

  private item(author: Entry["author"], text: string, agent: string | undefined, note: string, card: HTMLElement | null, lang?: string): HTMLLIElement {
    const { bot, team, you } = this.texts;
    const who = author === "bot" ? bot : author === "person" ? agent || team : you;
    const words = author === "driver" ? [text] : linked(text, this.texts.newTab);
    return h(
      "li",
      { class: author, part: `message ${author}` },
      // That a person writes now is for everyone to see.
      h("span", { class: author === "person" ? "who" : "hidden" }, `${who}: `),
      text ? h("p", { class: "said", part: "bubble", lang: lang ?? null, dir: "auto" }, ...words) : null,
      card,
      h("small", { class: "note" }, note),
    );
  }

  private note(line: HTMLLIElement, text: string, bad: boolean): void {
    const node = line.querySelector(".note")?.firstChild;
    if (node) node.nodeValue = text;
    line.classList.toggle("unsent", bad);
  }
}
