// Places the lab's calls with one headless Chromium and baresip.
//
//   node tests/system/run.js [--list] [--quick] [--calls] [--json FILE] [--config FILE] [--verbose]
//       [--wss URL] [CASE...]
//
// Without names every case runs, and the packets of each suite are judged at its end. Brings the lab up in the form a
// case needs and leaves it up (scripts/lab.sh down). --quick: without the call of 100 s. --calls: the calls of Chromium
// and baresip alone, without relays, Firefox and SRTP on the SIP side. --config FILE: instead of the
// lab's own configuration. --wss URL: another gateway than ours listens there, in a lab brought up by hand; linegatectl
// is not asked then. The last line is PASS or FAIL, the exit status says the same.
import fs from 'node:fs';
import os from 'node:os';
import path from 'node:path';
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { parseArgs } from 'node:util';
import { firefoxCases } from './cases/firefox.js';
import { negotiationCases } from './cases/negotiation.js';
import { registrarCases } from './cases/registrar.js';
import { restartCases } from './cases/restart.js';
import { sdesOptionalCases, sdesRequiredCases } from './cases/sdes.js';
import { sipServerCases } from './cases/sip_server.js';
import { turnCases, turnSipCases } from './cases/turn.js';
import { watchWire } from './cases/wire.js';
import { Baresip } from './harness/baresip.js';
import { Browser } from './harness/browser.js';
import { Lab } from './harness/lab.js';
import { namespaceOf, root } from './harness/process.js';
import { Runner } from './harness/runner.js';
import { renderTable } from './harness/table.js';

const suites = [
  { cases: [...registrarCases, ...negotiationCases, ...firefoxCases], arguments: [], sip: false },
  { cases: turnCases, arguments: [], sip: false, relay: true },
  { cases: sipServerCases, arguments: ['--sip-server'], sip: true },
  { cases: turnSipCases, arguments: ['--sip-server'], sip: true, relay: true },
  { cases: sdesOptionalCases, arguments: ['--sip-server'], sip: true, srtp: 'optional' },
  { cases: sdesRequiredCases, arguments: ['--sip-server'], sip: true, srtp: 'required' },
  { cases: restartCases, arguments: ['--sip-server'], sip: true },
];

// A suite's own configuration: the SIP Server's, with SRTP towards it.
function configOf(suite, { config }) {
  if (!suite.srtp) return config;
  const text = fs.readFileSync(config ?? path.join(root, 'scripts/lab-sip-server.toml'), 'utf8');
  const file = path.join(os.tmpdir(), `linegate-${namespaceOf('lab')}-srtp-${suite.srtp}.toml`);
  fs.writeFileSync(file, text.replace(/^\[sip\]$/m, `[sip]\nsrtp = "${suite.srtp}"`));
  return file;
}

const bringUp = (suite, values) => {
  const config = configOf(suite, values);
  return Lab.up([...suite.arguments, ...(config ? ['--config', config] : [])]);
};

async function runSuite(suite, cases, browser, { wss: foreign, config, whole }) {
  if (!foreign) await bringUp(suite, { config });
  const wire = whole ? await watchWire({ sip: suite.sip, relay: suite.relay, long: cases.some((one) => one.beside) }) : null;
  let agent;
  const tools = {
    lab: new Lab({ counts: !foreign }), browser,
    baresip: async () => { agent ??= await Baresip.connect(); return agent; } };
  const runner = new Runner(tools, { onResult: (result) =>
    console.log(`${result.ok ? 'ok    ' : 'FAILED'} ${result.name} (${result.ran_ms} ms)${result.ok ? '' : `: ${result.error}`}`) });
  try {
    await runner.run(cases);
    if (wire) await runner.run(wire.cases);
  } finally {
    await wire?.close();
    agent?.close();
    for (const name of [...browser.phones.keys()]) await browser.closePhone(name).catch(() => {});
  }
  return runner.results;
}

// Two runs in one lab would see each other's calls: the second waits. The lock goes with this process.
async function takeTurn() {
  const lock = spawn('flock', [path.join(os.tmpdir(), `linegate-${namespaceOf('lab')}.lock`), 'sh', '-c', 'echo mine; cat'], { stdio: ['pipe', 'pipe', 'inherit'] });
  const waiting = setTimeout(() => console.error('waiting for another run in this lab to end'), 1000);
  await once(lock.stdout, 'data');
  clearTimeout(waiting);
}

async function main() {
  const { values, positionals } = parseArgs({ allowPositionals: true, options: {
    list: { type: 'boolean' }, quick: { type: 'boolean' }, calls: { type: 'boolean' }, json: { type: 'string' }, verbose: { type: 'boolean' },
    wss: { type: 'string' }, config: { type: 'string' } } });
  const known = suites.flatMap((suite) => suite.cases);
  if (values.list) {
    known.forEach((one) => console.log(`${one.name.padEnd(24)} ${one.title}`));
    process.exit(0);
  }
  const unknown = positionals.filter((name) => !known.some((one) => one.name === name));
  if (unknown.length > 0) throw new Error(`no such case: ${unknown.join(', ')} (--list shows them)`);
  const beyondCalls = (one) => firefoxCases.includes(one) || suites.some((suite) => (suite.relay || suite.srtp) && suite.cases.includes(one));
  const wanted = (one) => (positionals.length > 0 ? positionals.includes(one.name)
    : !(values.quick && one.beside) && !(values.calls && beyondCalls(one)));

  await takeTurn();
  const first = suites.find((suite) => suite.cases.some(wanted));
  if (!values.wss) await bringUp(first, values);
  const browser = await Browser.launch({
    wss: values.wss ?? 'wss://10.90.1.1/', wss6: 'wss://[fd90:1::1]/', domain: 'lab.example', verbose: values.verbose });
  const results = [];
  try {
    for (const suite of suites) {
      const cases = suite.cases.filter(wanted);
      if (cases.length > 0) results.push(...await runSuite(suite, cases, browser, { ...values, whole: positionals.length === 0 }));
    }
  } finally {
    await browser.close().catch(() => {});
  }
  console.log(`\n${renderTable(results)}`);
  if (values.json) fs.writeFileSync(values.json, JSON.stringify(results, null, 2));
  return results.length > 0 && results.every((result) => result.ok);
}

main().then((ok) => {
  console.log(ok ? 'PASS' : 'FAIL');
  process.exit(ok ? 0 : 1);
}, (error) => {
  console.error(error.message);
  console.log('FAIL');
  process.exit(2);
});
