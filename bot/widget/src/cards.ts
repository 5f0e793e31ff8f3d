// What a reply shows beside its words, and the live card of a charging session. Built once, then only its figures change.
import { h, icon, outward, safeUrl } from "./dom";
import { distance, duration, energy, money, power } from "./format";
import type { ChargerCard, Custom, Session } from "./model";
import { fill, type Texts } from "./texts";

export interface CardActions {
  at(charger: ChargerCard): void;
  rate(stars: number): Promise<boolean>;
  finish(session: Session): void;
}

export function customCard(custom: Custom, texts: Texts, language: string, actions: CardActions): HTMLElement | null {
  if (custom.kind === "chargers" && Array.isArray(custom.chargers)) return chargers(custom.chargers, texts, language, actions);
  if (custom.kind === "pay") return pay(custom, texts, language);
  if (custom.kind === "rating" && !custom.stars) return rating(texts, actions);
  return null;
}

function chargers(cards: ChargerCard[], texts: Texts, language: string, actions: CardActions): HTMLElement {
  const list = h("ul", { class: "cards", part: "chargers", role: "list" });
  for (const card of cards.slice(0, 10)) {
    const map = safeUrl(card.map_url);
    const facts = [
      typeof card.distance_m === "number" ? distance(card.distance_m, language) : null,
      card.plugs?.join(", "),
      card.price,
    ].filter(Boolean);
    const known = typeof card.free === "number";
    const free = known && h("span", { class: card.free ? "free" : "busy" }, card.free ? fill(texts.free, { count: card.free }) : texts.freeNone);
    list.append(
      h(
        "li",
        { class: "card", part: "charger" },
        h("div", { class: "row" }, h("strong", {}, card.name), free),
        facts.length > 0 && h("div", { class: "facts" }, facts.join(" · ")),
        h(
          "div",
          { class: "row" },
          h("button", { type: "button", class: "small", "aria-label": `${texts.hereShort}: ${card.name}`, click: () => actions.at(card) }, texts.hereShort),
          map && outward(map, texts.newTab, { class: "small", "aria-label": `${fill(texts.mapOf, { name: card.name })} (${texts.newTab})` }, texts.map),
        ),
      ),
    );
  }
  return list;
}

function pay(custom: Extract<Custom, { kind: "pay" }>, texts: Texts, language: string): HTMLElement | null {
  const href = safeUrl(custom.url);
  if (!href) return null;
  const { amount_cents: cents, currency } = custom;
  const label = cents && currency ? fill(texts.payAmount, { amount: money(cents, currency, language) }) : texts.pay;
  return h(
    "div",
    { class: "card", part: "pay" },
    custom.title && h("strong", {}, custom.title),
    outward(href, texts.newTab, { class: "button", part: "pay-link" }, label),
    h("div", { class: "facts" }, texts.payHint),
  );
}

export function rating(texts: Texts, actions: Pick<CardActions, "rate">): HTMLElement {
  const id = "rating";
  const card = h("div", { class: "card", part: "rating", role: "group", "aria-label": texts.rateQuestion }, h("strong", { class: id }, texts.rateQuestion));
  const row = h("div", { class: "stars" });
  for (let stars = 1; stars <= 5; stars++) {
    const button = h("button", { type: "button", "aria-label": fill(texts.stars, { count: stars }), "aria-pressed": "false" }, icon("star", true));
    button.addEventListener("click", async () => {
      [...row.children].forEach((one, index) => {
        one.setAttribute("aria-pressed", String(index === stars - 1));
        one.classList.toggle("on", index < stars);
      });
      if (await actions.rate(stars)) card.firstElementChild!.textContent = texts.thanks;
    });
    row.append(button);
  }
  card.append(row);
  return card;
}

/** The card of one session; `update` changes figures in place, quietly, so that nobody is read numbers all the time. */
export class SessionCard {
  readonly element: HTMLElement;
  private readonly title = h("strong");
  private readonly place = h("div", { class: "facts" });
  private readonly figures = { power: h("dd"), energy: h("dd"), time: h("dd"), cost: h("dd") };
  private readonly meter = h("progress", { max: "1", "aria-hidden": "true" });
  private readonly button: HTMLButtonElement;
  private readonly costBox: HTMLElement;

  constructor(
    public session: Session,
    private readonly texts: Texts,
    private readonly language: string,
    actions: Pick<CardActions, "finish">,
  ) {
    const box = (name: keyof SessionCard["figures"]) => h("div", {}, h("dt", {}, texts[name]), this.figures[name]);
    this.costBox = box("cost");
    this.button = h("button", { type: "button", class: "small", click: () => actions.finish(this.session) }, texts.finish);
    this.element = h(
      "section",
      { class: "session", part: "session", "aria-label": texts.session },
      h("div", { class: "row" }, h("span", { class: "pulse", "aria-hidden": "true" }, icon("bolt", true)), h("div", {}, this.title, this.place), this.button),
      h("dl", {}, box("power"), box("energy"), box("time"), this.costBox),
      this.meter,
    );
    this.update(session, Date.now());
  }

  update(session: Session, now: number): void {
    this.session = session;
    const { texts, language } = this;
    const over = session.state === "ended";
    const state = (texts as Record<string, string>)[session.state] ?? texts.running;
    const begun = session.started_at ? Date.parse(session.started_at) : now;
    const until = session.ended_at ? Date.parse(session.ended_at) : now;
    this.element.dataset["state"] = session.state;
    this.title.textContent = state;
    const at = fill(session.connector > 1 ? texts.atConnector : texts.atCharger, { charger: session.label, connector: session.connector });
    this.place.textContent = [at, session.site].filter(Boolean).join(" · ");
    this.figures.power.textContent = typeof session.power_w === "number" ? power(session.power_w, language) : "–";
    this.figures.energy.textContent = typeof session.energy_wh === "number" ? energy(session.energy_wh, language) : "–";
    this.figures.time.textContent = duration((until - begun) / 1000);
    this.costBox.hidden = !session.cost;
    this.costBox.firstElementChild!.textContent = over ? texts.cost : texts.soFar;
    if (session.cost) this.figures.cost.textContent = money(session.cost.amount_cents, session.cost.currency, language);
    this.button.hidden = over;
    this.meter.value = session.power_w && session.max_kw ? Math.min(1, session.power_w / (session.max_kw * 1000)) : 0;
  }
}
