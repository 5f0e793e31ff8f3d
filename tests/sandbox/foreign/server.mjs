// A central system made of the npm package ocpp-rpc in strict mode: every frame of a charger, and every answer to one, is held
// against that package's own copies of the OCPP 1.6 and 2.0.1 schemas (its 2.1 ones do not load). Driven by lines of JSON on stdin, it tells what happens on stdout.
//   in:  {"id", "charger", "action", "params"}            a CALL to a charger
//   out: {"event": "listening", "port"} {"event": "connected", "charger", "protocol"} {"event": "disconnected", "charger"}
//        {"event": "call", "charger", "action", "params"} {"event": "answer", "id", "result" | "code"}
//        {"event": "violation", "charger", "what"}        a frame or answer that is not what the specification says
import { createInterface } from "node:readline";
import { RPCServer, createRPCError } from "ocpp-rpc";

const tell = (event) => process.stdout.write(`${JSON.stringify(event)}\n`);
const chargers = new Map();
const known = { "TOK-A": "Accepted", "TOK-BLOCKED": "Blocked" };
const now = () => new Date().toISOString();
let transactions = 0;

const answers = {
  BootNotification: () => ({ currentTime: now(), interval: 300, status: "Accepted" }),
  Heartbeat: () => ({ currentTime: now() }),
  StatusNotification: () => ({}),
  MeterValues: () => ({}),
  NotifyEvent: () => ({}),
  NotifyReport: () => ({}),
  LogStatusNotification: () => ({}),
  FirmwareStatusNotification: () => ({}),
  DiagnosticsStatusNotification: () => ({}),
  StopTransaction: () => ({}),
  StartTransaction: ({ idTag }) => ({ transactionId: ++transactions, idTagInfo: { status: known[idTag] ?? "Invalid" } }),
  TransactionEvent: ({ idToken }) => (idToken ? { idTokenInfo: { status: known[idToken.idToken] ?? "Unknown" } } : {}),
  Authorize: ({ idTag, idToken }) =>
    idTag ? { idTagInfo: { status: known[idTag] ?? "Invalid" } } : { idTokenInfo: { status: known[idToken.idToken] ?? "Unknown" } },
};

const server = new RPCServer({ protocols: ["ocpp1.6", "ocpp2.0.1"], strictMode: true, wssOptions: { perMessageDeflate: true } });
server.auth((accept) => accept({}));
server.on("client", (client) => {
  const charger = client.identity;
  chargers.set(charger, client);
  client.handle(({ method, params }) => {
    tell({ event: "call", charger, action: method, params });
    if (!answers[method]) throw createRPCError("NotImplemented");
    return answers[method](params);
  });
  client.on("strictValidationFailure", ({ method, params, result, error, outbound }) =>
    tell({ event: "violation", charger, what: { method, params, result, outbound, error: String(error), details: error.details } }));
  client.on("badMessage", ({ buffer, error }) => tell({ event: "violation", charger, what: { frame: String(buffer), error: String(error) } }));
  client.on("close", () => tell({ event: "disconnected", charger }));
  tell({ event: "connected", charger, protocol: client.protocol });
});

const http = await server.listen(0, "127.0.0.1");
tell({ event: "listening", port: http.address().port });

for await (const line of createInterface({ input: process.stdin })) {
  const { id, charger, action, params } = JSON.parse(line);
  chargers.get(charger)
    .call(action, params)
    .then((result) => tell({ event: "answer", id, result }))
    .catch((error) => tell({ event: "answer", id, code: error.rpcErrorCode ?? error.name, why: String(error) }));
}
process.exit(0);
