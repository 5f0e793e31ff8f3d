// Messages that the server has not confirmed. They outlive a reload, each under a key of its own, so that tabs do not overwrite
// one another; sent twice, they count once by their client id.
import type { Body, Pending } from "./model";

/** After this a message is not sent by itself any more: "start it" means now, not tomorrow. */
export const FRESH_MS = 10 * 60_000;

export interface Storage {
  readonly length: number;
  key(index: number): string | null;
  getItem(key: string): string | null;
  setItem(key: string, value: string): void;
  removeItem(key: string): void;
}

export function newId(): string {
  const bytes = crypto.getRandomValues(new Uint8Array(16));
  return Array.from(bytes, (byte) => byte.toString(16).padStart(2, "0")).join("");
}

/** The browser's storage, or one that forgets where a page may have none. */
export function safeStorage(): Storage {
  try {
    const storage = window.localStorage;
    storage.setItem("chargeline", "1");
    storage.removeItem("chargeline");
    return storage;
  } catch {
    const kept = new Map<string, string>();
    return {
      get length() {
        return kept.size;
      },
      key: (index) => [...kept.keys()][index] ?? null,
      getItem: (key) => kept.get(key) ?? null,
      setItem: (key, value) => void kept.set(key, value),
      removeItem: (key) => void kept.delete(key),
    };
  }
}

export class Queue {
  readonly waiting: Pending[] = [];

  constructor(
    private readonly storage: Storage,
    private readonly prefix: string,
  ) {
    for (let index = 0; index < storage.length; index++) {
      const key = storage.key(index);
      if (!key?.startsWith(prefix)) continue;
      try {
        this.waiting.push(JSON.parse(storage.getItem(key) ?? "") as Pending);
      } catch {
        storage.removeItem(key);
      }
    }
    this.waiting.sort((one, other) => one.at - other.at);
  }

  add(body: Body, shown: string, now: number): Pending {
    const pending = { client_id: newId(), body, shown, at: now };
    this.waiting.push(pending);
    try {
      this.storage.setItem(this.prefix + pending.client_id, JSON.stringify(pending));
    } catch {
      // Full: it is kept in memory only.
    }
    return pending;
  }

  remove(clientId: string): Pending | undefined {
    this.storage.removeItem(this.prefix + clientId);
    const index = this.waiting.findIndex((one) => one.client_id === clientId);
    return index < 0 ? undefined : this.waiting.splice(index, 1)[0];
  }

  /** The next one to send, and those before it that are too old for that. */
  next(now: number): { stale: Pending[]; next: Pending | undefined } {
    const stale = this.waiting.filter((one) => now - one.at > FRESH_MS);
    for (const one of stale) this.remove(one.client_id);
    return { stale, next: this.waiting[0] };
  }
}
