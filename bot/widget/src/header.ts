// The top of the panel: whose help this is, a person always in reach, and what is needed now and then.
import { h, icon } from "./dom";
import type { About } from "./model";
import { fill, names, type Language, type Texts } from "./texts";

export interface HeaderActions {
  person(): void;
  close(): void;
  language(language: Language): void;
  transcript(): void;
  rate(): void;
  end(): void;
}

export class Header {
  readonly element: HTMLElement;
  readonly menu: HTMLElement;
  private readonly subtitle: HTMLElement;
  private readonly menuButton: HTMLButtonElement;
  private readonly call = h("a", { class: "item", hidden: true });

  constructor(
    private readonly texts: Texts,
    language: Language,
    options: { page: boolean; signedIn: boolean; titleId: string },
    actions: HeaderActions,
  ) {
    this.subtitle = h("p", {}, texts.subtitleNone);
    this.menuButton = h(
      "button",
      { type: "button", class: "icon", "aria-expanded": "false", "aria-label": texts.menu, title: texts.menu, click: () => this.toggle(this.menu.hidden !== false) },
      icon("more"),
    );
    const item = (text: string, act: () => void) =>
      h("button", { type: "button", class: "item", click: () => { this.toggle(false); act(); } }, text);
    const choose = (one: Language) =>
      h("button", { type: "button", lang: one, "aria-pressed": String(one === language), click: () => { this.toggle(false); actions.language(one); } }, names[one]);
    this.menu = h(
      "div",
      { class: "menu", part: "menu", hidden: true, role: "group", "aria-label": texts.menu },
      h("div", { class: "languages", role: "group", "aria-label": texts.language }, ...(Object.keys(names) as Language[]).map(choose)),
      this.call,
      item(texts.transcript, actions.transcript),
      item(texts.rate, actions.rate),
      options.signedIn && item(texts.end, actions.end),
    );
    const title = h(options.page ? "h1" : "h2", { id: options.titleId, part: "title" }, texts.title);
    this.element = h(
      "div",
      { class: "header", part: "header" },
      h("slot", { name: "logo" }, h("span", { class: "logo", "aria-hidden": "true" }, icon("bolt", true))),
      h("div", { class: "titles" }, title, this.subtitle),
      h("button", { type: "button", class: "person", part: "person", "aria-label": texts.person, title: texts.person, click: actions.person }, icon("person"), h("span", {}, texts.personShort)),
      this.menuButton,
      !options.page && h("button", { type: "button", class: "icon", "aria-label": texts.close, title: texts.close, click: actions.close }, icon("close")),
    );
  }

  tell(about: About): void {
    this.subtitle.textContent = fill(this.texts.subtitle, { operator: about.operator });
    this.call.hidden = !about.phone;
    this.call.textContent = fill(this.texts.call, { phone: about.phone });
    this.call.href = `tel:${about.phone.replace(/[^\d+]/g, "")}`;
  }

  /** True where it was open: Escape closes the menu before it closes the panel. */
  toggle(open: boolean): boolean {
    const was = !this.menu.hidden;
    this.menu.hidden = !open;
    this.menuButton.setAttribute("aria-expanded", String(open));
    if (open) this.menu.querySelector("button")?.focus();
    else if (was) this.menuButton.focus();
    return was;
  }
}
