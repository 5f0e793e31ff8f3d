// Calls to the front door: who speaks is said by our own page's cookie, by a visitor's session, or by the host's signed token.
import type { Storage } from "./queue";

export type TokenSource = string | (() => string | Promise<string>);

const EARLY_MS = 20_000; // a token this close to its end is renewed first

export interface Problem {
  status: number;
  slug: string;
  detail: string;
}

export async function problemOf(answer: Response): Promise<Problem> {
  const body = (await answer.json().catch(() => ({}))) as { type?: string; detail?: string };
  return { status: answer.status, slug: (body.type ?? "").split(":").pop() ?? "", detail: body.detail ?? "" };
}

/** The claims of a token as its bearer may read them; the server verifies, this only tells whose and until when. */
export function claimsOf(token: string): { sub?: string; exp?: number } {
  try {
    const part = (token.split(".")[1] ?? "").replace(/-/g, "+").replace(/_/g, "/");
    return JSON.parse(atob(part)) as { sub?: string; exp?: number };
  } catch {
    return {};
  }
}

export class Api {
  private token: string | undefined;

  constructor(
    readonly server: string,
    readonly embed: string | null,
    private readonly source: TokenSource | null,
    private readonly storage: Storage,
  ) {}

  /** Names whose messages these are on this device, so that nobody sends another's. Tokens are not in it. */
  async owner(): Promise<string> {
    const base = `${this.embed ?? "page"}:`;
    if (!this.embed || !this.source) return base;
    return base + (claimsOf(await this.bearer(false)).sub ?? "?");
  }

  /** Throws where there is no connection, or where the host's page cannot give a token. */
  async call(path: string, init: RequestInit = {}): Promise<Response> {
    const answer = await this.once(path, init, false);
    return answer.status === 401 && this.embed ? this.once(path, init, true) : answer;
  }

  post(path: string, body: unknown): Promise<Response> {
    return this.call(path, { method: "POST", headers: { "Content-Type": "application/json" }, body: JSON.stringify(body) });
  }

  /** Ends the session at the server, and what this device knows of it. */
  async end(): Promise<void> {
    try {
      if (!this.embed || this.token || this.storage.getItem(this.key)) await this.once("session", { method: "DELETE" }, false);
    } finally {
      this.token = undefined;
      this.storage.removeItem(this.key);
    }
  }

  private get key(): string {
    return `chargeline:visitor:${this.embed}`;
  }

  private async once(path: string, init: RequestInit, renew: boolean): Promise<Response> {
    const headers = new Headers(init.headers);
    if (this.embed) {
      headers.set("Chargeline-Embed", this.embed);
      if (path !== "about") headers.set("Authorization", `Bearer ${await this.bearer(renew)}`);
    }
    return fetch(`${this.server}/web/${path}`, {
      ...init,
      headers,
      cache: "no-store",
      credentials: this.embed ? "omit" : "same-origin",
    });
  }

  private async bearer(renew: boolean): Promise<string> {
    if (this.source) {
      const ends = (claimsOf(this.token ?? "").exp ?? 0) * 1000;
      if (!this.token || renew || (typeof this.source !== "string" && ends < Date.now() + EARLY_MS))
        this.token = typeof this.source === "string" ? this.source : await this.source();
      return this.token;
    }
    const known = renew ? null : (this.token ?? this.storage.getItem(this.key));
    this.token = known ?? (await this.newVisitor());
    return this.token;
  }

  private async newVisitor(): Promise<string> {
    const answer = await fetch(`${this.server}/web/session`, {
      method: "POST",
      headers: { "Chargeline-Embed": this.embed ?? "" },
      credentials: "omit",
    });
    if (answer.status >= 500 || answer.status === 429) throw new Error(`no session: ${answer.status}`);
    if (!answer.ok) throw new Refused(await problemOf(answer));
    const { token } = (await answer.json()) as { token: string };
    this.storage.setItem(this.key, token);
    return token;
  }
}

/** The server does not want this caller here; trying again does not help. */
export class Refused extends Error {
  constructor(readonly problem: Problem) {
    super(problem.detail);
  }
}
