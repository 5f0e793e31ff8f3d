// The view "responses".
import { h } from "./desk.js";

export async function show(root) {
  root.append(h("p.quiet", {}, "Nothing to see yet."));
}
