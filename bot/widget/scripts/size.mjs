// Prints the size of the built script and fails above the budget: what a driver on a parking deck has to load.
import { readFileSync } from "node:fs";
import { gzipSync } from "node:zlib";

const BUDGET = 20 * 1024;
const folder = process.argv[2] ?? "dist";
const bytes = readFileSync(`${folder}/chargeline-chat.js`);
const packed = gzipSync(bytes, { level: 9 }).length;
console.log(`chargeline-chat.js: ${bytes.length} bytes, ${packed} gzipped (budget ${BUDGET})`);
if (packed > BUDGET) {
  console.error(`chargeline-chat.js is ${packed - BUDGET} bytes over its budget`);
  process.exit(1);
}
