// Where the driver writes: a text box that grows, one tap for the place, one for sending.
import { h, icon } from "./dom";
import type { Place } from "./model";
import type { Texts } from "./texts";

const LONGEST = 1600; // characters; the server takes no more
const LOCATE_MS = 12_000;

export class Composer {
  readonly element: HTMLFormElement;
  readonly box: HTMLTextAreaElement;

  constructor(
    texts: Texts,
    say: (text: string) => void,
    private readonly locate: { begins(): void; found(place: Place): void; failed(): void },
  ) {
    this.box = h("textarea", {
      part: "input",
      rows: "1",
      maxlength: String(LONGEST),
      enterkeyhint: "send",
      placeholder: texts.input,
      "aria-label": texts.input,
      input: () => this.grow(),
      keydown: (event) => {
        const key = event as KeyboardEvent;
        if (key.key !== "Enter" || key.shiftKey || key.isComposing) return;
        key.preventDefault();
        this.element.requestSubmit();
      },
    });
    this.element = h(
      "form",
      {
        class: "composer",
        part: "composer",
        autocomplete: "off",
        submit: (event) => {
          event.preventDefault();
          const text = this.box.value.trim();
          if (!text) return;
          this.box.value = "";
          this.grow();
          this.box.focus();
          say(text);
        },
      },
      h("button", { type: "button", class: "icon", part: "location", "aria-label": texts.location, title: texts.location, click: () => this.share() }, icon("pin")),
      this.box,
      h("button", { type: "submit", class: "icon send", part: "send", "aria-label": texts.send, title: texts.send }, icon("send")),
    );
  }

  private grow(): void {
    this.box.style.height = "auto";
    if (this.box.scrollHeight) this.box.style.height = `${Math.min(this.box.scrollHeight + 2, 144)}px`;
  }

  private share(): void {
    this.locate.begins();
    if (!navigator.geolocation) return this.locate.failed();
    navigator.geolocation.getCurrentPosition(
      ({ coords }) => this.locate.found({ latitude: coords.latitude, longitude: coords.longitude, accuracy_m: Math.round(coords.accuracy) }),
      () => this.locate.failed(),
      { enableHighAccuracy: true, timeout: LOCATE_MS, maximumAge: 60_000 },
    );
  }
}
