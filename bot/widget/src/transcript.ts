// What has been said, by sequence number: an entry that comes twice is one entry. Pure.
import type { Entry } from "./model";

export class Transcript {
  readonly entries: Entry[] = [];
  private readonly ids = new Set<string>();

  get newest(): number {
    return this.entries.at(-1)?.seq ?? 0;
  }

  get oldest(): number {
    return this.entries[0]?.seq ?? 0;
  }

  /** False where it was there already. */
  add(entry: Entry): boolean {
    if (this.ids.has(entry.id)) return false;
    this.ids.add(entry.id);
    let place = this.entries.length;
    while (place > 0 && this.entries[place - 1]!.seq > entry.seq) place--;
    this.entries.splice(place, 0, entry);
    return true;
  }

  /** Lines of the other side after this sequence number. */
  unread(after: number): number {
    return this.entries.filter((entry) => entry.seq > after && entry.author !== "driver" && entry.text).length;
  }

  titleOf(token: string): string | undefined {
    for (const entry of this.entries) {
      const choice = entry.choices?.find((one) => one.token === token);
      if (choice) return choice.title;
    }
    return undefined;
  }

  asText(names: Record<Entry["author"], string>, language: string): string {
    const moment = new Intl.DateTimeFormat(language, { dateStyle: "short", timeStyle: "short" });
    return this.entries
      .filter((entry) => entry.text)
      .map((entry) => `[${moment.format(new Date(entry.at))}] ${entry.agent || names[entry.author]}: ${entry.text}`)
      .join("\n");
  }
}
