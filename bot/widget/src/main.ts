// Loaded by one script tag. With data-embed (or data-auto) on it, it puts the element into the page by itself.
import { ChargelineChat } from "./element";

const script = document.currentScript as HTMLScriptElement | null;
if (script?.src) ChargelineChat.home = new URL(script.src).origin;
if (!customElements.get("chargeline-chat")) customElements.define("chargeline-chat", ChargelineChat);

function place(): void {
  const chat = document.createElement("chargeline-chat");
  for (const [name, value] of Object.entries(script!.dataset))
    if (name !== "auto") chat.setAttribute(name.replace(/[A-Z]/g, (letter) => `-${letter.toLowerCase()}`), value ?? "");
  document.body.append(chat);
}

if (script && (script.dataset["embed"] !== undefined || script.dataset["auto"] !== undefined)) {
  if (document.body) place();
  else document.addEventListener("DOMContentLoaded", place);
}

export { ChargelineChat };
