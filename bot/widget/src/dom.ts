// Elements from code: no HTML from strings anywhere, so that nothing that anybody wrote is ever markup.

type Child = Node | string | null | undefined | false;
type Value = string | boolean | null | undefined | ((event: Event) => unknown);

/** `part` names what a host's stylesheet may style; a function is a listener; true sets an empty attribute. */
export function h<K extends keyof HTMLElementTagNameMap>(
  tag: K,
  attributes: Record<string, Value> = {},
  ...children: Child[]
): HTMLElementTagNameMap[K] {
  const element = document.createElement(tag);
  for (const [name, value] of Object.entries(attributes)) {
    if (typeof value === "function") element.addEventListener(name, value);
    else if (value === true) element.setAttribute(name, "");
    else if (typeof value === "string") element.setAttribute(name, value);
  }
  element.append(...children.filter((child): child is Node | string => child !== null && child !== undefined && child !== false));
  return element;
}

const NS = "http://www.w3.org/2000/svg";
const PATHS = {
  bolt: "M13 2 4.5 13.5H11L9.5 22 19.5 9.5H13z",
  chat: "M12 3C6.5 3 2 6.8 2 11.5c0 2.5 1.3 4.8 3.4 6.3L4.5 22l4.6-2.3c.9.2 1.9.3 2.9.3 5.5 0 10-3.8 10-8.5S17.5 3 12 3zm1 3.5-.8 4H15l-4 6 .8-4.5H9z",
  close: "M6 6l12 12M18 6 6 18",
  more: "M12 5v.01M12 12v.01M12 19v.01",
  send: "M4 12h14M12 5l7 7-7 7",
  pin: "M12 21s-6.5-6-6.5-11a6.5 6.5 0 0 1 13 0c0 5-6.5 11-6.5 11zm0-8.5a2.5 2.5 0 1 0 0-5 2.5 2.5 0 0 0 0 5z",
  person: "M12 12a4 4 0 1 0 0-8 4 4 0 0 0 0 8zm-7.5 8.5c.8-3.8 3.8-6 7.5-6s6.7 2.2 7.5 6",
  star: "M12 3l2.7 5.7 6.3.8-4.6 4.3 1.2 6.2L12 17l-5.6 3 1.2-6.2L3 9.5l6.3-.8z",
};

export type Icon = keyof typeof PATHS;

export function icon(name: Icon, solid = false): SVGSVGElement {
  const svg = document.createElementNS(NS, "svg");
  for (const [key, value] of Object.entries({ viewBox: "0 0 24 24", "aria-hidden": "true", class: solid ? "solid" : "line" }))
    svg.setAttribute(key, value);
  const path = document.createElementNS(NS, "path");
  path.setAttribute("d", PATHS[name]);
  svg.append(path);
  return svg;
}

/** An address that may be followed from what the server sent: secure, or on this very machine. */
export function safeUrl(given: string | null | undefined): string | null {
  try {
    const url = new URL(given ?? "");
    const local = url.hostname === "localhost" || url.hostname === "127.0.0.1";
    return url.protocol === "https:" || url.protocol === "geo:" || (url.protocol === "http:" && local) ? url.href : null;
  } catch {
    return null;
  }
}

const LINKS = /(https?:\/\/[^\s<>"]+[^\s<>".,;:!?)])|(\+\d[\d ().-]{7,17}\d)/g;

/** Words with their addresses and phone numbers as links. */
export function linked(text: string, newTab: string): (Node | string)[] {
  const parts: (Node | string)[] = [];
  let last = 0;
  for (const match of text.matchAll(LINKS)) {
    const [found, address] = match;
    const href = address ? safeUrl(address) : `tel:${found.replace(/[^\d+]/g, "")}`;
    if (!href) continue;
    parts.push(text.slice(last, match.index), address ? outward(href, newTab, {}, found) : h("a", { href }, found));
    last = match.index + found.length;
  }
  parts.push(text.slice(last));
  return parts.filter((part) => part !== "");
}

/** A link that leaves the page, and says so to whoever does not see it. */
export function outward(href: string, newTab: string, attributes: Record<string, Value>, ...children: Child[]): HTMLAnchorElement {
  const hint = h("span", { class: "hidden" }, ` (${newTab})`);
  return h("a", { href, target: "_blank", rel: "noopener noreferrer", ...attributes }, ...children, hint);
}
