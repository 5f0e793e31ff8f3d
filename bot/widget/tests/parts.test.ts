import { describe, expect, test } from "vitest";
import { Api, claimsOf } from "../src/api";
import { customCard, SessionCard } from "../src/cards";
import { h, linked, safeUrl } from "../src/dom";
import { duration, energy, money } from "../src/format";
import type { Entry } from "../src/model";
import { FRESH_MS, Queue } from "../src/queue";
import { EventParser } from "../src/sse";
import { Stream } from "../src/stream";
import { en, fill, languageFor, tables } from "../src/texts";
import { Transcript } from "../src/transcript";

function memory(): Storage {
  const kept = new Map<string, string>();
  return {
    get length() {
      return kept.size;
    },
    key: (index: number) => [...kept.keys()][index] ?? null,
    getItem: (key: string) => kept.get(key) ?? null,
    setItem: (key: string, value: string) => void kept.set(key, value),
    removeItem: (key: string) => void kept.delete(key),
    clear: () => kept.clear(),
  };
}

const entry = (seq: number, more: Partial<Entry> = {}): Entry => ({ id: `e${seq}`, seq, author: "bot", text: `t${seq}`, at: "2026-01-01T00:00:00Z", ...more });

describe("event parser", () => {
  const stream = 'retry: 2000\n\nid: 1\nevent: entry\ndata: {"a":1}\n\n: alive\n\nevent: state\r\ndata: one\r\ndata: two\r\n\r\n';
  test("reads the same whatever pieces the network makes of it", () => {
    const whole = new EventParser().push(stream);
    expect(whole).toEqual([
      { name: "entry", data: '{"a":1}' },
      { name: "state", data: "one\ntwo" },
    ]);
    for (let size = 1; size < stream.length; size++) {
      const parser = new EventParser();
      const found = [];
      for (let at = 0; at < stream.length; at += size) found.push(...parser.push(stream.slice(at, at + size)));
      expect(found).toEqual(whole);
    }
  });
});

describe("transcript", () => {
  test("an entry that comes twice is one, and order is by number", () => {
    const transcript = new Transcript();
    expect([3, 1, 2, 3].map((seq) => transcript.add(entry(seq)))).toEqual([true, true, true, false]);
    expect(transcript.entries.map((one) => one.seq)).toEqual([1, 2, 3]);
    expect([transcript.oldest, transcript.newest]).toEqual([1, 3]);
  });
  test("unread counts the other side's words only", () => {
    const transcript = new Transcript();
    [entry(1), entry(2, { author: "driver" }), entry(3, { author: "person" }), entry(4, { text: "" })].forEach((one) => transcript.add(one));
    expect([transcript.unread(0), transcript.unread(1), transcript.unread(4)]).toEqual([2, 1, 0]);
  });
});

describe("queue", () => {
  test("what was not sent is found again after a reload, and by its owner only", () => {
    const storage = memory();
    const queue = new Queue(storage, "chargeline:unsent:page::");
    const one = queue.add({ text: "start it" }, "start it", 1000);
    queue.add({ text: "hello?" }, "hello?", 2000);
    queue.remove(one.client_id);
    expect(new Queue(storage, "chargeline:unsent:page::").waiting.map((other) => other.shown)).toEqual(["hello?"]);
    expect(new Queue(storage, "chargeline:unsent:drv-ben:").waiting).toEqual([]);
  });
  test("an old wish is not carried out by itself", () => {
    const queue = new Queue(memory(), "q:");
    queue.add({ text: "start it" }, "start it", 0);
    queue.add({ text: "now" }, "now", FRESH_MS);
    const { stale, next } = queue.next(FRESH_MS + 1);
    expect(stale.map((one) => one.shown)).toEqual(["start it"]);
    expect(next?.shown).toBe("now");
  });
  test("a damaged record is dropped", () => {
    const storage = memory();
    storage.setItem("q:x", "{");
    expect(new Queue(storage, "q:").waiting).toEqual([]);
    expect(storage.length).toBe(0);
  });
});

describe("markup", () => {
  test("what anybody wrote is text", () => {
    const said = h("p", {}, ...linked('<img src=x onerror=alert(1)> https://volt.example/<b>', "tab"));
    expect(said.querySelector("img")).toBeNull();
    expect(said.textContent).toContain("<img src=x onerror=alert(1)>");
  });
  test("only safe addresses become links", () => {
    expect(["javascript:alert(1)", "data:text/html,x", "http://volt.example", "//x", "", null].map(safeUrl)).toEqual(Array(6).fill(null));
    expect(safeUrl("https://volt.example/a")).toBe("https://volt.example/a");
    const [before, link, after] = linked("Pay at https://volt.example/p?a=1.", "tab") as [string, HTMLAnchorElement, string];
    expect([before, link.href, link.rel, after]).toEqual(["Pay at ", "https://volt.example/p?a=1", "noopener noreferrer", "."]);
  });
  test("phone numbers can be called, amounts cannot", () => {
    expect(linked("call +1 613 555 0199 now", "tab").filter((one) => typeof one !== "string")).toHaveLength(1);
    expect(linked("charger 1042, 7.2 kW, 3 Wh", "tab")).toEqual(["charger 1042, 7.2 kW, 3 Wh"]);
  });
  test("a payment link that is not secure is not shown", () => {
    const actions = { at() {}, rate: async () => true, finish() {} };
    expect(customCard({ kind: "pay", url: "javascript:alert(1)" }, en, "en", actions)).toBeNull();
    const card = customCard({ kind: "pay", url: "https://pay.example/x", amount_cents: 2550, currency: "CAD" }, en, "en-CA", actions);
    expect(card?.querySelector("a")?.textContent).toContain("Pay $25.50");
  });
  test("charger cards show what is known and leave out what is not", () => {
    const actions = { at() {}, rate: async () => true, finish() {} };
    const card = customCard({ kind: "chargers", chargers: [{ id: "CL-1", name: "A", distance_m: 640, free: 2 }, { id: "CL-2", name: "B", map_url: "javascript:x" }] }, en, "en", actions)!;
    expect(card.querySelectorAll("li")).toHaveLength(2);
    expect(card.textContent).toContain("640 m");
    expect(card.textContent).toContain("2 free now");
    expect(card.querySelectorAll("a")).toHaveLength(0);
    expect(card.textContent).not.toContain("undefined");
  });
});

describe("session card", () => {
  test("changes its figures in place and stops at the end", () => {
    const session = { id: "s", charger: "CL-1", label: "1", connector: 1, state: "charging", energy_wh: 900, power_w: 7000, started_at: "2026-01-01T00:00:00Z" };
    const card = new SessionCard(session, en, "en", { finish() {} });
    const figure = card.element.querySelectorAll("dd")[1]!;
    card.update({ ...session, energy_wh: 1800 }, Date.parse("2026-01-01T00:10:00Z"));
    expect(card.element.querySelectorAll("dd")[1]).toBe(figure);
    expect([...card.element.querySelectorAll("dd")].map((one) => one.textContent)).toEqual(["7.0 kW", "1.80 kWh", "10 min", ""]);
    card.update({ ...session, state: "ended", power_w: null, ended_at: "2026-01-01T01:05:00Z", cost: { amount_cents: 240, currency: "USD" } }, 0);
    expect(card.element.textContent).toContain("Session over");
    expect(card.element.textContent).toContain("1 h 05");
    expect(card.element.querySelector("button")!.hidden).toBe(true);
  });
});

describe("words", () => {
  test("every language has every text with the same values", () => {
    for (const table of Object.values(tables))
      for (const [name, text] of Object.entries(en)) {
        const values = (one: string) => (one.match(/\{\w+\}/g) ?? []).sort();
        expect(values(table[name as keyof typeof en]), name).toEqual(values(text));
      }
  });
  test("the first language that there are words for", () => {
    expect(languageFor([null, "de-DE", "fr-CA", "en"])).toBe("fr");
    expect(languageFor(["de"])).toBe("en");
    expect(fill("{a} {b}", { a: 1 })).toBe("1 {b}");
  });
  test("figures", () => {
    expect([energy(3, "en"), energy(3412, "en"), energy(34_120, "en")]).toEqual(["3 Wh", "3.41 kWh", "34.1 kWh"]);
    expect([duration(5), duration(61), duration(3700)]).toEqual(["5 s", "1 min", "1 h 01"]);
    expect(money(150, "not a currency", "en")).toBe("1.50 not a currency");
  });
});

describe("api", () => {
  const jwt = (claims: object) => `h.${btoa(JSON.stringify(claims))}.s`;
  test("a token that is about to end is fetched anew, and one that the server refuses too", async () => {
    const soon = Date.now() / 1000 + 5;
    const tokens = [jwt({ sub: "ada", exp: soon }), jwt({ sub: "ada", exp: soon + 600 }), jwt({ sub: "ada", exp: soon + 900 })];
    const given = [...tokens];
    const seen: (string | null)[] = [];
    let status = 200;
    globalThis.fetch = (async (_: unknown, init: RequestInit) => {
      seen.push(new Headers(init.headers).get("Authorization"));
      return new Response("{}", { status: seen.length === 3 ? 401 : status });
    }) as typeof fetch;
    const api = new Api("", "emb_x", () => given.shift()!, memory());
    await api.call("events");
    await api.call("events");
    await api.call("events");
    expect(seen).toEqual([0, 1, 1, 2].map((index) => `Bearer ${tokens[index]}`));
  });
  test("claims of nonsense are none", () => {
    expect(claimsOf("x")).toEqual({});
    expect(claimsOf(jwt({ sub: "a" }))).toEqual({ sub: "a" });
  });
});

describe("stream", () => {
  test("stopped and started in one breath, it reads once and not twice", async () => {
    let opened = 0;
    const open = (signal: AbortSignal) =>
      new Promise<Response>((_, reject) => {
        opened++;
        signal.addEventListener("abort", () => reject(new Error("aborted")));
      });
    const stream = new Stream({ open, event() {}, up() {}, down() {}, refused() {} });
    stream.start();
    stream.stop();
    stream.start();
    await new Promise((resolve) => setTimeout(resolve, 20));
    expect(opened).toBe(2); // the one that was stopped, and the one that goes on
    stream.again();
    await new Promise((resolve) => setTimeout(resolve, 700));
    expect(opened).toBe(3);
    stream.stop();
  });
});
