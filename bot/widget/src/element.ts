// <chargeline-chat>: what a host page sees. Attributes, events and methods; a shadow root, so that neither styles the other.
import { Api, type TokenSource } from "./api";
import { Conversation } from "./conversation";
import { h, icon } from "./dom";
import type { Entry } from "./model";
import { Panel, type Host } from "./panel";
import { safeStorage } from "./queue";
import css from "./style.css?inline";
import { fill, languageFor, tables, type Language, type Texts } from "./texts";

const REST_AFTER_MS = 60_000; // a hidden tab lets its connection go and reads on when it is looked at again
const BADGE_AFTER_MS = 1_500;
const NARROW = "(max-width: 480px)";
const sheet = new CSSStyleSheet();
sheet.replaceSync(css);

export type ChatEvent = "ready" | "open" | "close" | "message" | "sent" | "unread" | "session" | "rating" | "transcript" | "identify" | "error" | "language";
export type TextOverrides = Partial<Record<Language, Partial<Texts>>>;

export class ChargelineChat extends HTMLElement implements Host {
  static readonly observedAttributes = ["charger", "connector", "language", "embed", "server"];
  /** Where the script came from; set once when it runs. */
  static home = location.origin;

  private readonly storage = safeStorage();
  private readonly root = this.attachShadow({ mode: "open" });
  private panel: Panel | undefined;
  private conversation: Conversation | undefined;
  private source: TokenSource | null = null;
  private overrides: TextOverrides = {};
  private launcher: HTMLButtonElement | undefined;
  private badge = h("span", { class: "badge", part: "badge", hidden: true });
  private readKey = "";
  private soon: ReturnType<typeof setTimeout> | undefined;
  private resting: ReturnType<typeof setTimeout> | undefined;
  private ends = new AbortController();
  private chosen: Language | undefined;

  constructor() {
    super();
    this.root.adoptedStyleSheets = [sheet];
  }

  // --- the page's API

  get isOpen(): boolean {
    return this.page || (this.panel ? !this.panel.element.hidden : false);
  }

  open(): void {
    if (!this.isConnected || (this.isOpen && !this.page)) return;
    this.begin();
    const panel = this.panel!;
    panel.element.hidden = false;
    this.launcher?.setAttribute("aria-expanded", "true");
    this.toggleAttribute("opened", true);
    panel.element.toggleAttribute("aria-modal", false);
    if (matchMedia(NARROW).matches && !this.page) {
      panel.element.setAttribute("aria-modal", "true");
      if (this.hasAttribute("back-closes")) history.pushState({ ...history.state, chargelineChat: true }, "");
    }
    panel.shown();
    panel.focus();
    this.markRead();
    this.tell("open");
  }

  close(): void {
    if (!this.isOpen || this.page) return;
    const inside = this.root.activeElement !== null;
    this.panel!.element.hidden = true;
    this.launcher?.setAttribute("aria-expanded", "false");
    this.toggleAttribute("opened", false);
    if (inside) this.launcher?.focus();
    if ((history.state as { chargelineChat?: boolean } | null)?.chargelineChat) history.back();
    this.tell("close");
  }

  toggle(): void {
    if (this.isOpen) this.close();
    else this.open();
  }

  /**
   * Who the driver is: a token that the operator's backend has signed, or a function that fetches a fresh one (it is called again
   * when one is about to end). `null` signs out: the session ends at the server, and nothing of it stays on this device.
   */
  async identify(source: TokenSource | null): Promise<void> {
    const before = this.conversation;
    this.source = source;
    if (source === null && before) {
      await before.api.end().catch(() => {}); // without a connection it ends by itself, soon
      this.forget();
    }
    this.rebuild(this.isOpen);
  }

  /** Where the driver is; null for nowhere known. */
  setCharger(charger: string | null, connector?: number | null): void {
    if (charger) this.setAttribute("charger", charger);
    else this.removeAttribute("charger");
    if (charger && connector) this.setAttribute("connector", String(connector));
    else this.removeAttribute("connector");
  }

  /** Writes in the driver's name, for a button of the host's: "My charge stopped" on a receipt. */
  send(text: string): void {
    this.open();
    this.begin();
    this.panel!.say({ text }, text);
  }

  /** Returns what takes the listener away again. */
  on(name: ChatEvent, listener: (detail: unknown) => void): () => void {
    const heard = (event: Event) => listener((event as CustomEvent).detail);
    this.addEventListener(`chargeline-${name}`, heard);
    return () => this.removeEventListener(`chargeline-${name}`, heard);
  }

  get texts(): TextOverrides {
    return this.overrides;
  }

  /** Words of the host's own, by language: `{ en: { title: "Volt help" } }`. */
  set texts(overrides: TextOverrides) {
    this.overrides = overrides;
    if (this.isConnected) this.draw();
  }

  // --- the element's life

  connectedCallback(): void {
    this.ends = new AbortController();
    const { signal } = this.ends;
    document.addEventListener("visibilitychange", () => this.seen(), { signal });
    window.addEventListener("pageshow", (event) => event.persisted && this.conversation?.restart(), { signal });
    window.addEventListener("online", () => this.conversation?.goOn(), { signal });
    window.addEventListener("offline", () => this.panel?.connected(false), { signal });
    window.addEventListener("popstate", () => this.hasAttribute("back-closes") && this.close(), { signal });
    window.visualViewport?.addEventListener("resize", () => this.fit(), { signal });
    window.visualViewport?.addEventListener("scroll", () => this.fit(), { signal });
    this.root.addEventListener("keydown", (event) => this.key(event as KeyboardEvent), { signal });
    this.draw();
    this.tell("ready");
  }

  disconnectedCallback(): void {
    this.ends.abort();
    clearTimeout(this.resting);
    clearTimeout(this.soon);
    this.panel?.leave();
    this.panel = this.conversation = undefined;
  }

  attributeChangedCallback(name: string, before: string | null, after: string | null): void {
    if (!this.isConnected || before === after) return;
    if (name === "charger" || name === "connector") this.panel?.showCharger();
    else if (name === "language") this.draw();
    else this.rebuild(this.isOpen);
  }

  // --- what the panel asks

  get page(): boolean {
    return this.getAttribute("mode") === "page";
  }

  get signedIn(): boolean {
    return this.source !== null;
  }

  charger(): { charger?: string; connector?: number } {
    const charger = this.getAttribute("charger") ?? "";
    if (!/^[A-Za-z0-9*][A-Za-z0-9 ._*-]{0,47}$/.test(charger)) return {};
    const connector = Number(this.getAttribute("connector"));
    return Number.isInteger(connector) && connector > 0 && connector < 100 ? { charger, connector } : { charger };
  }

  language(language: Language): void {
    this.chosen = language;
    this.tell("language", language);
    void this.conversation?.api.post("language", { language }).catch(() => {});
    this.draw();
    this.panel?.focus();
  }

  left(): void {
    void this.identify(null);
  }

  notHere(): void {
    this.setCharger(null);
    this.panel?.composer.box.focus();
  }

  heard(entry: Entry): void {
    if (this.isOpen && document.visibilityState === "visible") this.markRead();
    else this.showUnread();
    if (entry.author !== "driver") this.tell("message", { text: entry.text, author: entry.author, at: entry.at });
  }

  tell(name: string, detail?: unknown): void {
    this.dispatchEvent(new CustomEvent(`chargeline-${name}`, { detail, bubbles: true, composed: true }));
  }

  // --- inside

  private api(): Api {
    const server = (this.getAttribute("server") ?? ChargelineChat.home).replace(/\/+$/, "");
    return new Api(server === location.origin ? "" : server, this.getAttribute("embed"), this.source, this.storage);
  }

  private words(): { texts: Texts; language: Language } {
    const wanted = [this.chosen, this.getAttribute("language"), document.documentElement.lang, ...navigator.languages];
    const language = languageFor(this.hasAttribute("language") || this.chosen ? wanted : [this.page ? null : wanted[2], ...navigator.languages]);
    return { language, texts: { ...tables[language], ...this.overrides[language] } };
  }

  /** The launcher, and where it was open the panel, in the present language; a text that was begun stays. */
  private draw(): void {
    const open = this.isOpen && this.panel !== undefined;
    const draft = this.panel?.composer.box.value ?? "";
    this.panel?.leave();
    this.panel = this.conversation = undefined;
    const { texts } = this.words();
    this.launcher = h(
      "button",
      { type: "button", class: "launcher", part: "launcher", "aria-expanded": "false", "aria-haspopup": "dialog", "aria-label": texts.open, click: () => this.toggle() },
      icon("chat", true),
      this.badge,
    );
    const parts = this.page ? [] : [h("div", { class: "corner", role: "region", "aria-label": texts.title }, this.launcher)];
    this.root.replaceChildren(...parts);
    if (open || this.page) {
      this.begin();
      this.panel!.composer.box.value = draft;
      if (!this.page) this.open();
    } else if (this.storage.getItem(`chargeline:used:${this.getAttribute("embed")}`)) {
      // For the unread badge; after the host has had the time to say who the driver is.
      clearTimeout(this.soon);
      this.soon = setTimeout(() => this.isConnected && this.begin(), BADGE_AFTER_MS);
    }
  }

  /** Builds the panel and connects, once. */
  private begin(): void {
    if (this.panel) return;
    const { texts, language } = this.words();
    const panel = (this.panel = new Panel(texts, language, this));
    panel.element.hidden = !this.page;
    if (this.page) this.root.append(panel.element);
    else this.root.firstElementChild!.prepend(panel.element);
    const api = this.api();
    const conversation = (this.conversation = new Conversation(api, this.storage, panel));
    panel.follow(conversation);
    this.storage.setItem(`chargeline:used:${this.getAttribute("embed")}`, "1");
    this.readKey = "";
    void api.owner().then(
      (owner) => {
        if (this.conversation !== conversation) return;
        this.readKey = `chargeline:read:${owner}`;
        void conversation.start();
      },
      (error: unknown) => panel.refused({ status: 401, slug: "no-token", detail: String(error) }),
    );
    this.fit();
  }

  private rebuild(open: boolean): void {
    if (!this.isConnected) return;
    const draft = this.panel?.composer.box.value ?? "";
    this.panel?.leave();
    this.panel?.element.remove();
    this.panel = this.conversation = undefined;
    this.badge.hidden = true;
    if (this.page) this.begin();
    else if (open) this.open();
    if (this.panel) (this.panel as Panel).composer.box.value = this.signedIn ? draft : "";
  }

  private forget(): void {
    const mine: string[] = [];
    for (let index = 0; index < this.storage.length; index++) {
      const key = this.storage.key(index);
      if (key && /^chargeline:(unsent|read|used):/.test(key)) mine.push(key);
    }
    for (const key of mine) this.storage.removeItem(key);
  }

  private markRead(): void {
    const newest = this.conversation?.transcript.newest ?? 0;
    if (this.readKey && newest) this.storage.setItem(this.readKey, String(newest));
    this.showUnread();
  }

  private showUnread(): void {
    const read = Number(this.readKey && this.storage.getItem(this.readKey)) || 0;
    const count = this.isOpen ? 0 : (this.conversation?.transcript.unread(read) ?? 0);
    const shown = count > 9 ? "9+" : String(count);
    if ((this.badge.hidden ? "0" : this.badge.textContent) === shown) return;
    this.badge.hidden = count === 0;
    this.badge.textContent = shown;
    const { texts } = this.words();
    this.launcher?.setAttribute("aria-label", count ? fill(texts.openUnread, { count }) : texts.open);
    this.tell("unread", count);
  }

  private seen(): void {
    clearTimeout(this.resting);
    if (document.visibilityState === "hidden") this.resting = setTimeout(() => this.conversation?.rest(), REST_AFTER_MS);
    else {
      this.conversation?.goOn();
      if (this.isOpen) this.markRead();
    }
  }

  /** Keeps the text box above a phone's keyboard. */
  private fit(): void {
    const view = window.visualViewport;
    if (!view) return;
    this.style.setProperty("--_height", `${Math.round(view.height)}px`);
    this.style.setProperty("--_top", `${Math.round(view.offsetTop)}px`);
  }

  private key(event: KeyboardEvent): void {
    if (!this.panel || this.panel.element.hidden) return;
    if (event.key === "Escape") {
      event.stopPropagation();
      if (!this.panel.header.toggle(false)) this.close();
    } else if (event.key === "Tab" && this.panel.element.getAttribute("aria-modal") === "true") this.wrap(event);
  }

  /** Where the panel covers the page, the focus stays in it. */
  private wrap(event: KeyboardEvent): void {
    const reachable = [...this.panel!.element.querySelectorAll<HTMLElement>("button, a[href], textarea, [tabindex='0']")].filter(
      (one) => one.getClientRects().length > 0,
    );
    const edge = event.shiftKey ? reachable[0] : reachable.at(-1);
    if (this.root.activeElement !== edge && this.root.activeElement !== this.panel!.element) return;
    event.preventDefault();
    (event.shiftKey ? reachable.at(-1) : reachable[0])?.focus();
  }
}
