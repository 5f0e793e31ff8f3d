// One driver's conversation on this page: sends what they write, once and in order, and follows what the server says of it.
import { Api, problemOf, Refused, type Problem } from "./api";
import type { About, Body, Entry, Pending, Session, State } from "./model";
import { Queue, type Storage } from "./queue";
import { Stream } from "./stream";
import { Transcript } from "./transcript";

export interface Audience {
  /** `own`: the client id under which this page has shown it already. `early`: it belongs before what is shown. */
  entry(entry: Entry, own: string | undefined): void;
  earlier(entries: Entry[]): void;
  pending(pending: Pending): void;
  accepted(clientId: string): void;
  unsent(pending: Pending, why: string | null): void;
  state(state: State): void;
  sessions(sessions: Session[]): void;
  connected(connected: boolean): void;
  refused(problem: Problem): void;
}

const NEWEST = 60;
const FIRST_PAUSE_MS = 500;
const LONGEST_PAUSE_MS = 8_000;

export class Conversation {
  readonly transcript = new Transcript();
  private readonly stream: Stream;
  private queue: Queue | undefined;
  private sending = false;
  private wake: () => void = () => {};
  private closed = false;

  constructor(
    readonly api: Api,
    private readonly storage: Storage,
    private readonly audience: Audience,
  ) {
    this.stream = new Stream({
      open: (signal) => {
        const newest = this.transcript.newest;
        return this.api.call(newest ? `events?after=${newest}` : `events?last=${NEWEST}`, { signal });
      },
      event: ({ name, data }) => this.hear(name, data),
      up: () => {
        this.audience.connected(true);
        this.hurry();
      },
      down: () => this.audience.connected(false),
      refused: (problem) => this.audience.refused(problem),
    });
  }

  async start(): Promise<void> {
    await this.openQueue();
    this.stream.start();
  }

  /** Stops listening; what is written meanwhile is read when it goes on. */
  rest(): void {
    this.stream.stop();
  }

  goOn(): void {
    if (!this.closed) this.stream.start();
    this.stream.poke();
    this.hurry();
  }

  restart(): void {
    this.stream.start();
    this.stream.again();
    this.hurry();
  }

  close(): void {
    this.closed = true;
    this.stream.stop();
    this.wake();
  }

  async say(body: Body, shown: string): Promise<void> {
    const queue = await this.openQueue();
    this.audience.pending(queue.add(body, shown, Date.now()));
    void this.send(queue);
  }

  async about(): Promise<About | null> {
    try {
      const answer = await this.api.call("about");
      return answer.ok ? ((await answer.json()) as About) : null;
    } catch {
      return null;
    }
  }

  /** Lines before the oldest that is known; false where there are none left. */
  async earlier(): Promise<boolean> {
    if (this.transcript.oldest > 1) {
      const answer = await this.api.call(`entries?before=${this.transcript.oldest}`);
      if (!answer.ok) return true;
      const { entries } = (await answer.json()) as { entries: Entry[] };
      const fresh = entries.filter((entry) => this.transcript.add(entry));
      this.audience.earlier(fresh);
      return this.transcript.oldest > 1 && entries.length > 0;
    }
    return false;
  }

  private async openQueue(): Promise<Queue> {
    if (!this.queue) {
      const owner = await this.api.owner().catch(() => "?");
      if (!this.queue) {
        this.queue = new Queue(this.storage, `chargeline:unsent:${owner}:`);
        for (const pending of this.queue.waiting) this.audience.pending(pending);
        if (this.queue.waiting.length) void this.send(this.queue);
      }
    }
    return this.queue;
  }

  private hurry(): void {
    this.wake();
    if (this.queue) void this.send(this.queue);
  }

  private async send(queue: Queue): Promise<void> {
    if (this.sending) return;
    this.sending = true;
    let pause = FIRST_PAUSE_MS;
    while (!this.closed) {
      const { stale, next } = queue.next(Date.now());
      for (const old of stale) this.audience.unsent(old, "");
      if (!next) break;
      const outcome = await this.post(next);
      if (outcome === "later") {
        this.audience.unsent(next, null);
        await new Promise<void>((resolve) => {
          const timer = setTimeout(resolve, pause);
          this.wake = () => {
            clearTimeout(timer);
            resolve();
          };
        });
        pause = Math.min(pause * 2, LONGEST_PAUSE_MS);
        continue;
      }
      pause = FIRST_PAUSE_MS;
      queue.remove(next.client_id);
      if (outcome === "accepted") {
        this.audience.accepted(next.client_id);
      } else this.audience.unsent(next, outcome.detail);
    }
    this.sending = false;
  }

  private async post(pending: Pending): Promise<"accepted" | "later" | Problem> {
    let answer: Response;
    try {
      answer = await this.api.post("messages", { client_id: pending.client_id, ...pending.body });
    } catch (error) {
      return error instanceof Refused ? error.problem : "later";
    }
    if (answer.ok) return "accepted";
    const { status } = answer;
    // 401: the host is asked for a new token; with it the message goes out.
    if (status >= 500 || status === 429 || status === 408 || (status === 401 && this.api.embed)) return "later";
    return problemOf(answer);
  }

  private hear(name: string, data: string): void {
    let value: unknown;
    try {
      value = JSON.parse(data);
    } catch {
      return; // a proxy's error page, say; the stream goes on
    }
    if (name === "entry") {
      const entry = value as Entry;
      if (!this.transcript.add(entry)) return;
      if (entry.client_id) this.queue?.remove(entry.client_id);
      this.audience.entry(entry, entry.author === "driver" ? entry.client_id : undefined);
    } else if (name === "state") this.audience.state(value as State);
    else if (name === "sessions") this.audience.sessions((value as { sessions: Session[] }).sessions);
  }
}
