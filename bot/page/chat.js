// Tells the chat what the address says: /c/{charger}/{connector} from the sticker on a charger, or ?charger=&connector=, and for
// apps that show this page in a web view ?embed=&language=&theme=. Runs before the element does.
"use strict";

const chat = document.querySelector("chargeline-chat");
const query = new URLSearchParams(location.search);
const path = location.pathname.match(/^\/c\/([^/]+)(?:\/(\d+))?\/?$/);
const said = {
  charger: path ? decodeURIComponent(path[1]) : query.get("charger"),
  connector: path?.[2] ?? query.get("connector"),
  embed: query.get("embed"),
  language: query.get("language"),
  theme: query.get("theme"),
};
for (const [name, value] of Object.entries(said)) if (value) chat.setAttribute(name, value);
chat.addEventListener("chargeline-language", (event) => { document.documentElement.lang = event.detail; });
