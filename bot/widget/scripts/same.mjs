// Fails where the committed script is not what the sources build to.
import { readFileSync } from "node:fs";

if (!readFileSync("dist/chargeline-chat.js").equals(readFileSync(".fresh/chargeline-chat.js"))) {
  console.error("dist/chargeline-chat.js is not built from these sources: run npm run build and commit it");
  process.exit(1);
}
console.log("dist/chargeline-chat.js is what the sources build to");
