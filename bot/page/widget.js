// The theme editor: what is chosen goes onto the live element at once, and into the code to paste.
"use strict";

const form = document.getElementById("theme");
const chat = document.getElementById("chat");
const code = document.getElementById("code");
const contrast = document.getElementById("contrast");
const ATTRIBUTES = ["theme", "language", "side", "charger"];

/** Relative luminance of #rrggbb (WCAG 2.2, "relative luminance"). */
function luminance(colour) {
  const [red, green, blue] = [1, 3, 5].map((at) => {
    const part = parseInt(colour.slice(at, at + 2), 16) / 255;
    return part <= 0.04045 ? part / 12.92 : ((part + 0.055) / 1.055) ** 2.4;
  });
  return 0.2126 * red + 0.7152 * green + 0.0722 * blue;
}

function ratio(one, other) {
  const [dark, light] = [luminance(one), luminance(other)].sort((a, b) => a - b);
  return (light + 0.05) / (dark + 0.05);
}

function changed(field) {
  return field.tagName === "SELECT" ? field.value !== "" : field.value !== field.defaultValue;
}

function apply() {
  const fields = [...form.elements].filter((field) => field.name);
  const variables = fields.filter((field) => field.name.startsWith("--"));
  for (const field of variables) {
    if (changed(field)) chat.style.setProperty(field.name, field.value + (field.dataset.unit ?? ""));
    else chat.style.removeProperty(field.name);
  }
  const attributes = fields.filter((field) => ATTRIBUTES.includes(field.name) && field.value.trim());
  for (const name of ATTRIBUTES) {
    const value = form.elements[name].value.trim();
    if (value === (chat.getAttribute(name) ?? "")) continue;
    if (value) chat.setAttribute(name, value);
    else chat.removeAttribute(name);
  }
  const title = form.elements.title.value.trim();
  if (title !== (chat.texts.en?.title ?? "")) {
    chat.texts = title ? Object.fromEntries(["en", "es", "fr"].map((language) => [language, { title }])) : {};
  }
  tellContrast();
  code.textContent = toPaste(variables.filter(changed), attributes, title);
}

function tellContrast() {
  const value = (name) => form.elements[`--chargeline-${name}`].value;
  const pairs = [["accent and on accent", ratio(value("accent"), value("on-accent"))], ["ink and paper", ratio(value("ink"), value("paper"))], ["ink and ground", ratio(value("ink"), value("ground"))], ["accent and paper", ratio(value("accent"), value("paper"))]];
  const [name, least] = pairs.sort((a, b) => a[1] - b[1])[0];
  contrast.textContent = least < 4.5 ? `Too faint to read: ${name} have a contrast of ${least.toFixed(1)}; 4.5 is the least.` : `Legible: the least contrast is ${least.toFixed(1)}.`;
  contrast.classList.toggle("bad", least < 4.5);
}

function toPaste(variables, attributes, title) {
  const escaped = (text) => text.replace(/&/g, "&amp;").replace(/"/g, "&quot;").replace(/</g, "&lt;");
  const given = attributes.map((field) => ` data-${field.name}="${escaped(field.value.trim())}"`).join("");
  const lines = [`<script src="${location.origin}/widget/chargeline-chat.js" data-embed="YOUR-EMBED-KEY"${given} defer></script>`];
  if (variables.length) {
    const rules = variables.map((field) => `  ${field.name}: ${field.value}${field.dataset.unit ?? ""};`);
    lines.push("", "/* in your stylesheet */", "chargeline-chat {", ...rules, "}");
  }
  if (title) lines.push("", "// in your script", `document.querySelector("chargeline-chat").texts = { en: { title: ${JSON.stringify(title)} } };`);
  return lines.join("\n");
}

form.addEventListener("input", apply);
form.addEventListener("reset", () => setTimeout(apply));
document.getElementById("show").addEventListener("click", () => chat.open());
document.getElementById("copy").addEventListener("click", async () => {
  try {
    await navigator.clipboard.writeText(code.textContent);
    document.getElementById("copied").textContent = "Copied.";
  } catch {
    document.getElementById("copied").textContent = "Select the code and copy it by hand.";
  }
});
apply();
