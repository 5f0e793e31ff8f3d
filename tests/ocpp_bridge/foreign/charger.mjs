// A charger on npm's ocpp-rpc in strict mode: every frame of the bridge is checked against that library's schemas.
// Usage: node charger.mjs <endpoint> <identity> <ocpp1.6|ocpp2.0.1>
// Tells what happens as JSON lines on stdout; obeys "tap <token>", "plug", "unplug", "present <token>" and "quit" on stdin.
import { createInterface } from 'node:readline';
import { RPCClient } from 'ocpp-rpc';

const [endpoint, identity, protocol] = process.argv.slice(2);
const old = protocol === 'ocpp1.6';
const tell = (what, data = {}) => process.stdout.write(JSON.stringify({ what, ...data }) + '\n');
const stamp = () => new Date().toISOString();
const later = (work) => setTimeout(() => work().catch((error) => tell('failed', { error: String(error) })), 20);

let client;
let status = 'Available';
let wh = 1000;
let transaction = null; // { id, token, seqNo }
let meter = null;

const samples = () =>
  old
    ? [{ value: String(wh), measurand: 'Energy.Active.Import.Register', unit: 'Wh', context: 'Sample.Periodic' }]
    : [{ value: wh, measurand: 'Energy.Active.Import.Register', context: 'Sample.Periodic' }];
const meterValue = () => [{ timestamp: stamp(), sampledValue: samples() }];

async function say(name) {
  status = name;
  if (old) {
    return client.call('StatusNotification', { connectorId: 1, errorCode: 'NoError', status: name, timestamp: stamp() });
  }
  const connectorStatus = ['Available', 'Faulted', 'Unavailable', 'Reserved'].includes(name) ? name : 'Occupied';
  return client.call('StatusNotification', { timestamp: stamp(), connectorStatus, evseId: 1, connectorId: 1 });
}

async function boot(reason) {
  const answer = old
    ? await client.call('BootNotification', { chargePointVendor: 'Foreign', chargePointModel: 'F1', firmwareVersion: '1' })
    : await client.call('BootNotification', { reason, chargingStation: { vendorName: 'Foreign', model: 'F1', firmwareVersion: '1' } });
  await say(status);
  tell('booted', { answer });
}

function event(eventType, triggerReason, extra = {}, info = {}) {
  return client.call('TransactionEvent', {
    eventType, triggerReason, timestamp: stamp(), seqNo: transaction.seqNo++,
    transactionInfo: { transactionId: transaction.id, ...info }, evse: { id: 1, connectorId: 1 }, meterValue: meterValue(), ...extra,
  });
}

async function begin(token, remoteStartId) {
  if (old) {
    const answer = await client.call('StartTransaction', { connectorId: 1, idTag: token, meterStart: wh, timestamp: stamp() });
    transaction = { id: answer.transactionId, token };
    tell('started', { answer });
    await say('Charging');
  } else {
    transaction = { id: `foreign-${Date.now()}`, token, seqNo: 0 };
    const idToken = { idToken: token, type: 'ISO14443' };
    const info = remoteStartId === undefined ? {} : { remoteStartId };
    const answer = await event('Started', remoteStartId === undefined ? 'Authorized' : 'RemoteStart', { idToken }, info);
    tell('started', { answer });
    await say('Charging');
    await event('Updated', 'ChargingStateChanged', {}, { chargingState: 'Charging' });
  }
  meter = setInterval(() => {
    wh += 50;
    const sent = old
      ? client.call('MeterValues', { connectorId: 1, transactionId: transaction.id, meterValue: meterValue() })
      : event('Updated', 'MeterValuePeriodic', {}, { chargingState: 'Charging' });
    sent.catch((error) => tell('failed', { error: String(error) }));
  }, 200);
}

async function end(reason) {
  clearInterval(meter);
  if (transaction === null) return;
  if (old) {
    await client.call('StopTransaction', { transactionId: transaction.id, meterStop: wh, timestamp: stamp(), reason });
  } else {
    const trigger = reason === 'Remote' ? 'RemoteStop' : 'ResetCommand';
    const stoppedReason = reason === 'Remote' ? 'Remote' : 'ImmediateReset';
    await event('Ended', trigger, {}, { stoppedReason });
  }
  transaction = null;
  tell('stopped', { reason });
  await say('Finishing');
}

async function restart() {
  await end('SoftReset');
  status = 'Available';
  await client.close();
  await connect('RemoteReset');
}

const heard = (action, answer, work) => client.handle(action, ({ params }) => {
  tell('heard', { action, params });
  if (work) later(() => work(params));
  return typeof answer === 'function' ? answer(params) : answer;
});

function listen() {
  heard('TriggerMessage', { status: 'Accepted' }, async (params) => {
    if (params.requestedMessage === 'StatusNotification') await say(status);
    if (params.requestedMessage === 'MeterValues' && old) {
      await client.call('MeterValues', { connectorId: 1, transactionId: transaction?.id ?? 0, meterValue: meterValue() });
    } else if (params.requestedMessage === 'MeterValues') {
      await client.call('MeterValues', { evseId: 1, meterValue: meterValue() });
    }
    if (params.requestedMessage === 'TransactionEvent' && transaction) await event('Updated', 'Trigger', {}, { chargingState: 'Charging' });
  });
  heard('Reset', { status: 'Accepted' }, restart);
  heard('UnlockConnector', { status: 'Unlocked' }, () => say('Available'));
  if (old) {
    heard('RemoteStartTransaction', { status: 'Accepted' }, (params) => begin(params.idTag));
    heard('RemoteStopTransaction', (params) => ({ status: params.transactionId === transaction?.id ? 'Accepted' : 'Rejected' }), () => end('Remote'));
  } else {
    heard('RequestStartTransaction', { status: 'Accepted' }, (params) => begin(params.idToken.idToken, params.remoteStartId));
    heard('RequestStopTransaction', (params) => ({ status: params.transactionId === transaction?.id ? 'Accepted' : 'Rejected' }), () => end('Remote'));
  }
}

async function connect(reason) {
  client = new RPCClient({ endpoint, identity, protocols: [protocol], strictMode: true, reconnect: false });
  client.on('strictValidationFailure', ({ error }) => tell('against the schema', { error: String(error), details: error.details }));
  client.on('badMessage', ({ error }) => tell('bad message', { error: String(error) }));
  listen();
  await client.connect();
  tell('connected', { protocol: client.protocol });
  await boot(reason);
}

createInterface({ input: process.stdin }).on('line', (line) => {
  const [word, token] = line.trim().split(' ');
  const work = {
    plug: () => say('Preparing'),
    unplug: () => say('Available'),
    tap: async () => {
      const answer = await client.call('Authorize', old ? { idTag: token } : { idToken: { idToken: token, type: 'ISO14443' } });
      tell('authorized', { answer });
    },
    present: () => begin(token),
    quit: async () => { await client.close(); process.exit(0); },
  }[word];
  later(work);
}).on('close', () => process.exit(0));

await connect('PowerUp');
