// Keeps one event stream open: reads it, notices when it has gone silent, comes back with growing pauses, and at once when poked.
import { problemOf, Refused, type Problem } from "./api";
import { EventParser, type ServerEvent } from "./sse";

export interface StreamEnds {
  open(signal: AbortSignal): Promise<Response>;
  event(event: ServerEvent): void;
  up(): void;
  down(): void;
  refused(problem: Problem): void;
}

const SILENT_MS = 40_000; // the server says something every 15 s
const FIRST_PAUSE_MS = 400;
const LONGEST_PAUSE_MS = 10_000;

export class Stream {
  private running = false;
  private round = 0; // one that was stopped must not go on because another has been started
  private abort = new AbortController();
  private wake: () => void = () => {};

  constructor(private readonly ends: StreamEnds) {}

  start(): void {
    if (this.running) return;
    this.running = true;
    void this.run(++this.round);
  }

  stop(): void {
    this.running = false;
    this.abort.abort();
    this.wake();
  }

  /** The network may be back: do not wait. */
  poke(): void {
    this.wake();
  }

  /** What is open may be dead without having said so: begin anew. */
  again(): void {
    this.abort.abort();
    this.wake();
  }

  private async run(round: number): Promise<void> {
    const mine = () => this.running && this.round === round;
    let pause = FIRST_PAUSE_MS;
    while (mine()) {
      const began = Date.now();
      try {
        await this.read();
      } catch (error) {
        if (error instanceof Refused && mine()) {
          this.running = false;
          this.ends.refused(error.problem);
          return;
        }
      }
      if (!mine()) return;
      this.ends.down();
      if (Date.now() - began > 5_000) pause = FIRST_PAUSE_MS;
      await new Promise<void>((resolve) => {
        const timer = setTimeout(resolve, pause * (0.75 + Math.random() / 2));
        this.wake = () => {
          clearTimeout(timer);
          resolve();
        };
      });
      pause = Math.min(pause * 2, LONGEST_PAUSE_MS);
    }
  }

  private async read(): Promise<void> {
    const abort = (this.abort = new AbortController());
    let watchdog = setTimeout(() => abort.abort(), SILENT_MS);
    try {
      const answer = await this.ends.open(abort.signal);
      if (!answer.ok || !answer.body) {
        const problem = await problemOf(answer);
        if (answer.status === 401 || answer.status === 403) throw new Refused(problem);
        return;
      }
      this.ends.up();
      const reader = answer.body.getReader();
      const decoder = new TextDecoder();
      const parser = new EventParser();
      for (;;) {
        const { done, value } = await reader.read();
        if (done) return;
        clearTimeout(watchdog);
        watchdog = setTimeout(() => abort.abort(), SILENT_MS);
        for (const event of parser.push(decoder.decode(value, { stream: true }))) this.ends.event(event);
      }
    } finally {
      clearTimeout(watchdog);
    }
  }
}
