// Browsers whose sound goes through TURN: over UDP, TCP and TLS, to the gateway on the same box and to each other.
// What coturn's own clients and attackers see is in tests/system/turn.
import { chromium } from 'playwright-core';
import { endFrom, measureAll, require } from './call.js';
import { chromiumFlags, chromiumProgram } from '../harness/browser.js';
import { beepsAtBaresip } from '../harness/media.js';
import { withSymmetricNats } from '../harness/nat.js';
import { PairEnd, talk } from '../harness/pair.js';

const account = { username: 'lab', credential: 'lab' };
const ways = {
  udp: 'turn:10.90.1.1:3478?transport=udp', tcp: 'turn:10.90.1.1:3478?transport=tcp', tls: 'turns:10.90.1.1:443?transport=tcp',
  udp6: 'turn:[fd90:1::1]:3478?transport=udp', tls6: 'turns:[fd90:1::1]:5349?transport=tcp' };
const through = (way) => ({ iceServers: [{ urls: ways[way], ...account }], iceTransportPolicy: 'relay' });

// A measured call whose every packet goes through the relay; `way` is also how the browser reaches it.
async function relayedCall({ browser, lab, report }, target, way, { after = async () => ({}) } = {}) {
  const phone = await browser.phone('1001');
  const since = Date.now();
  const call = await phone.call(target, through(way));
  await call.event('accepted');
  await call.media(8000);
  const { local_type: type, relay_protocol: protocol } = await call.stats();
  require(type === 'relay' && protocol === way.replace(/\d$/, ''), `the selected pair is ${type} over ${protocol}`);
  const { allocations } = await lab.control('turn');
  require(allocations >= 1, 'linegatectl shows no allocation');
  const rows = [];
  await measureAll((row) => rows.push(row), [[`1001 > ${target}, relay ${way}`, call]]);
  await endFrom(call, []);
  report({ ...rows[0], ...(await after(since)) });
}

const heardAtBaresip = { after: async (since) => ({ beeps: (await beepsAtBaresip(since, 3)).beeps }) };
const withoutUdp = (run) => (tools) => tools.lab.withoutUdp(() => run(tools));
// Opening an allocation over TLS and giving it back may take longer than a call without.
const limitMs = 15000;

// Two Chromiums, each behind a symmetric NAT of its own; `configuration` is that of both RTCPeerConnections.
async function betweenNats({ report }, configuration, judge) {
  await withSymmetricNats(async (namespaces) => {
    const engines = await Promise.all(namespaces.map((namespace) => chromium.launch({
      executablePath: chromiumProgram, headless: true, args: chromiumFlags, env: { ...process.env, LINEGATE_NAMESPACE: namespace } })));
    try {
      const ends = await Promise.all(engines.map((engine) => PairEnd.open(engine, configuration)));
      const seen = await talk(ends);
      for (const [n, end] of seen.entries()) {
        const who = `nat${n + 1}`;
        require(end.lost === 0 && end.received_pps >= 45 && end.sent_pps >= 45 && end.energy > 0, `${who}: ${JSON.stringify(end)}`);
        report({ call: `${who}, ${end.local} to ${end.remote}`, ...end });
      }
      judge(seen);
      await Promise.all(ends.map((end) => end.close()));
    } finally {
      await Promise.all(engines.map((engine) => engine.close()));
    }
  });
}

// The page that Linegate serves, used as a person would.
async function pageThroughRelay({ browser }) {
  const context = await browser.engine.newContext({ ignoreHTTPSErrors: true });
  try {
    const page = await context.newPage();
    await page.goto('https://10.90.1.1/');
    await page.fill('#user', '1001');
    await page.fill('#password', '1001');
    await page.click('#sign-in button');
    await page.click('#network summary');
    await page.check('#relay-only');
    const dial = () => page.click('[data-target=echo]');
    const problem = () => page.waitForSelector('#problem:not([hidden])', { timeout: 4000 }).then((found) => found.innerText());
    await page.fill('#relay-url', ways.udp);
    await page.fill('#relay-user', 'lab');
    await page.fill('#relay-password', 'wrong');
    await dial();
    const told = await problem();
    require(/password is wrong/.test(told), `after a wrong password the page says: ${told}`);
    await page.click('#problem-close');
    await page.fill('#relay-password', 'lab');
    await dial();
    await page.waitForFunction(() => /relayed \(udp\)/.test(document.getElementById('stat-path').textContent), null, { timeout: 6000 });
    await page.click('#hang-up');
    await page.waitForSelector('#dial:not([hidden])', { timeout: 2000 });
    // Nothing typed in: the credentials that the gateway itself gives the page.
    for (const field of ['#relay-url', '#relay-user', '#relay-password']) await page.fill(field, '');
    await dial();
    await page.waitForFunction(() => /relayed/.test(document.getElementById('stat-path').textContent), null, { timeout: 6000 });
    await page.click('#hang-up');
    await page.waitForSelector('#dial:not([hidden])', { timeout: 2000 });
  } finally {
    await context.close();
  }
}

// The page with credentials of the gateway alone: what it got when it was loaded is over, so it asks again before it calls.
async function pageCredentials({ browser, lab }) {
  const context = await browser.engine.newContext({ ignoreHTTPSErrors: true });
  try {
    const page = await context.newPage();
    await page.addInitScript(() => {
      const fetched = window.fetch;
      window.given = [];
      window.fetch = async (...request) => {
        const response = await fetched(...request);
        if (!/config\.json$/.test(request[0])) return response;
        const settings = await response.json();
        window.given.push({ ...settings.iceServers[0] });
        if (window.given.length === 1) settings.iceServers[0].username = settings.iceServers[0].username.replace(/^\d+/, '1000000000');
        return new Response(JSON.stringify(settings));
      };
    });
    await page.goto('https://10.90.1.1/');
    await page.fill('#user', '1001');
    await page.fill('#password', '1001');
    await page.click('#sign-in button');
    await page.click('#network summary');
    await page.check('#relay-only');
    await page.click('[data-target=echo]');
    await page.waitForFunction(() => /relayed/.test(document.getElementById('stat-path').textContent), null, { timeout: 8000 });
    const given = await page.evaluate(() => window.given);
    require(given.length === 2, `the page asked ${given.length} times for credentials`);
    const [expiry] = given[1].username.split(':');
    require(Number(expiry) > Date.now() / 1000 + 60, `credentials that end at ${expiry}`);
    const { list } = await lab.control('turn');
    require(list.some((one) => one.peers.length > 0 && one.to_peer_pkts > 0 && one.to_client_pkts > 0), 'linegatectl shows no relayed call');
    await page.click('#hang-up');
    await page.waitForSelector('#dial:not([hidden])', { timeout: 2000 });
  } finally {
    await context.close();
  }
}

const nothingLeft = { name: 'turn_zero', title: 'no allocation of a browser is left', phones: [], async run({ lab }) {
  await lab.withoutAllocations(4000);
} };

export const turnCases = [
  { name: 'relay_udp', title: 'relay only, UDP, to echo', limitMs, run: (tools) => relayedCall(tools, 'echo', 'udp') },
  { name: 'relay_tcp', title: 'relay only, TCP, to echo', limitMs, run: (tools) => relayedCall(tools, 'echo', 'tcp') },
  { name: 'relay_tls_443', title: 'relay only, TLS on the web port, all UDP of the browser dropped', limitMs,
    run: withoutUdp((tools) => relayedCall(tools, 'echo', 'tls')) },
  { name: 'relay_udp_v6', title: 'relay only, the browser reaches the relay over IPv6', limitMs, run: (tools) => relayedCall(tools, 'echo', 'udp6') },
  { name: 'relay_tls_v6', title: 'relay only, TLS over IPv6', limitMs, run: (tools) => relayedCall(tools, 'echo', 'tls6') },
  { name: 'page_relay_only', title: 'the page itself, told to use a relay only', limitMs, run: pageThroughRelay },
  { name: 'page_credentials', title: 'the page gets its relay credentials from the gateway, and new ones when they end', limitMs, run: pageCredentials },
  { name: 'symmetric_nats', title: 'two browsers behind symmetric NATs find the relay', limitMs: 25000, run: (tools) =>
    betweenNats(tools, { iceServers: [{ urls: 'stun:10.90.1.1:3478' }, { urls: ways.udp, ...account }] }, (seen) => {
      require(seen.every((end) => end.reflexive > 0), 'STUN told a browser no address of its own');
      require(seen.every((end) => end.local === 'relay' || end.remote === 'relay'), 'a pair without a relay was selected');
    }) },
  { name: 'relay_to_relay', title: 'two browsers behind symmetric NATs, relay to relay', limitMs: 25000, run: (tools) =>
    betweenNats(tools, through('udp'), (seen) =>
      require(seen.every((end) => end.local === 'relay' && end.remote === 'relay'), 'a relay at both ends was asked for')) },
  nothingLeft,
];

export const turnSipCases = [
  { name: 'relay_udp_baresip', title: 'relay only, UDP, to a SIP phone', limitMs, run: (tools) => relayedCall(tools, '1003', 'udp', heardAtBaresip) },
  { name: 'relay_tcp_baresip', title: 'relay only, TCP, to a SIP phone', limitMs, run: (tools) => relayedCall(tools, '1003', 'tcp', heardAtBaresip) },
  { name: 'relay_tls_baresip', title: 'relay only, TLS on the web port, all UDP of the browser dropped, to a SIP phone', limitMs,
    run: withoutUdp((tools) => relayedCall(tools, '1003', 'tls', heardAtBaresip)) },
  { ...nothingLeft, name: 'turn_sip_zero' },
];
