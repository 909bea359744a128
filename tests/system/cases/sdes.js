// SRTP on the SIP side with keys in SDP (RFC 4568), through Kamailio: baresip is 1004 (SRTP or no call), 1005 (SRTP where
// offered) and 1003 (plain RTP).
import fs from 'node:fs';
import path from 'node:path';
import { connectBrowsers, endFrom, expectFailure, measureAll, require } from './call.js';
import { callBaresip } from './sip_server.js';
import { Capture } from '../harness/capture.js';
import { beepsAtBaresip } from '../harness/media.js';
import { runDirectory, sleep } from '../harness/process.js';

const log = (name) => fs.readFileSync(path.join(runDirectory, 'log', `${name}.log`), 'utf8');
const pcmu = { codecs: ['PCMU', 'telephone-event'] };
const tagBytes = 10; // of AES_CM_128_HMAC_SHA1_80, which both sides prefer

// What crosses on the SIP side while `body` runs.
async function watched(body) {
  const capture = await Capture.start('sip', 'lgs0', 'udp or tcp');
  const baresipBefore = log('baresip').length;
  try {
    const result = await body();
    await sleep(200);
    await capture.stop();
    return { result, capture, baresip: log('baresip').slice(baresipBefore) };
  } catch (error) {
    capture.remove();
    throw error;
  }
}

// Descriptions in SIP messages from `from` ("ADDRESS:"): the m=audio line's protocol and the suites of the a=crypto lines.
function descriptions(capture, from) {
  const found = [];
  for (const { from: source, payload } of capture.payloads()) {
    const text = payload.toString('latin1');
    if (!source.startsWith(from)) continue;
    for (const [, protocol] of text.matchAll(/^m=audio [1-9]\d* (\S+)/mg))
      found.push({ protocol, suites: [...text.matchAll(/^a=crypto:\d+ (\S+) inline:/mg)].map((match) => match[1]) });
  }
  return found;
}

// Every RTP packet both ways has the length of G.711 and a tag, and looks random: what is spoken in the clear is mostly one
// byte (the quiet between beeps) or a pattern of eight (baresip's tone).
function isSrtp(capture) {
  for (const address of ['10.90.2.1', '10.90.2.2']) {
    const streams = capture.rtpStreams(address).filter(({ packets }) => packets.length > 50);
    require(streams.length > 0, `no RTP towards ${address}`);
    for (const { packets } of streams) {
      const odd = packets.filter(({ type, payload }) => type === 0 && payload.length !== 160 + tagBytes);
      require(odd.length === 0, `${odd.length} of ${packets.length} packets towards ${address} have no tag`);
      const counts = new Uint32Array(256);
      for (const { payload } of packets) for (const byte of payload.subarray(0, 160)) counts[byte]++;
      const share = Math.max(...counts) / (packets.length * 160);
      require(share < 0.02, `${(100 * share).toFixed(1)} % of what goes to ${address} is one byte: it is not encrypted`);
    }
  }
}

function neverLogged(capture) {
  const text = log('controlplane') + log('dataplane');
  require(!/inline:/.test(text), 'a=crypto stands in a log');
  for (const { payload } of capture.payloads()) {
    for (const [, key] of payload.toString('latin1').matchAll(/inline:([A-Za-z0-9+/]{20})/g))
      require(!text.includes(key), 'a key stands in a log');
  }
}

function enabledAtBaresip(baresip) {
  require(/SRTP is Enabled \(cryptosuite=AES_CM_128_HMAC_SHA1_80\)/.test(baresip), 'baresip did not enable SRTP');
  const failed = /failed to decrypt.*/.exec(baresip);
  require(!failed, `baresip: ${failed?.[0]}`);
}

// baresip dials as `user`.
async function dial(tools, user, target) {
  const agent = await tools.baresip();
  agent.forgetEvents();
  await agent.dial(target, user);
  return agent;
}

async function secureCall(tools, user, protocol, options = {}) {
  const { capture, baresip } = await watched(() => callBaresip(tools, { user, options: pcmu, ...options }));
  try {
    const offers = descriptions(capture, '10.90.2.1:');
    require(offers.length > 0 && offers.every((one) => one.protocol === protocol && one.suites.length === 3),
      `${protocol} with three suites is to be offered: ${JSON.stringify(offers)}`);
    const answers = descriptions(capture, '10.90.2.2:').filter(({ suites }) => suites.length === 1);
    require(answers.length > 0, 'no answer has one a=crypto line');
    isSrtp(capture);
    neverLogged(capture);
    enabledAtBaresip(baresip);
  } finally {
    capture.remove();
  }
}

async function secureCallFrom(tools, user) {
  const { browser, report } = tools;
  const phone = await browser.phone('1001');
  const { capture, baresip } = await watched(async () => {
    const since = Date.now();
    const agent = await dial(tools, user, '1001');
    const call = await phone.incoming();
    await call.answer();
    await Promise.all([call.event('confirmed'), agent.next('CALL_ESTABLISHED')]);
    await call.media();
    const rows = [];
    await measureAll((row) => rows.push(row), [[`1001 < ${user}`, call]]);
    await endFrom(call, []);
    await agent.next('CALL_CLOSED', 2000);
    report({ ...rows[0], beeps: (await beepsAtBaresip(since, 3)).beeps });
  });
  try {
    const ours = descriptions(capture, '10.90.2.1:');
    require(ours.length > 0 && ours.every(({ suites }) => suites.length === 1), `one a=crypto is to be answered: ${JSON.stringify(ours)}`);
    isSrtp(capture);
    enabledAtBaresip(baresip);
  } finally {
    capture.remove();
  }
}

// A call to 1004 that `hold` holds and retrieves; what is heard afterwards went through both ciphers.
async function held(tools, hold) {
  const { browser, report } = tools;
  const phone = await browser.phone('1001');
  const { capture, baresip } = await watched(async () => {
    const call = await phone.call('1004', pcmu);
    await call.event('accepted');
    await call.media();
    await hold(call);
    await sleep(300);
    const retrieved = Date.now() / 1000;
    await measureAll(report, [['1001 > 1004', call]]);
    await endFrom(call, []);
    return retrieved;
  }).then(({ result, ...rest }) => ({ ...rest, retrieved: result }));
  try {
    const keys = new Set();
    for (const { from, payload } of capture.payloads()) {
      if (!from.startsWith('10.90.2.1:')) continue;
      for (const [, key] of payload.toString('latin1').matchAll(/^a=crypto:1 AES_CM_128_HMAC_SHA1_80 (inline:\S+)/mg)) keys.add(key);
    }
    require(keys.size === 1, `${keys.size} keys of ours for one suite: a re-INVITE keeps its key`);
    require(capture.rtpStreams('10.90.2.2').some(({ packets }) => packets.length > 100), 'no SRTP reaches baresip');
    enabledAtBaresip(baresip);
  } finally {
    capture.remove();
  }
}

export const sdesRequiredCases = [
  { name: 'srtp_required', title: 'RTP/SAVP to a phone that insists on it', run: (tools) => secureCall(tools, '1004', 'RTP/SAVP') },
  { name: 'srtp_required_from_phone', title: 'a phone that insists on SRTP calls', run: (tools) => secureCallFrom(tools, '1004') },
  { name: 'srtp_hold_from_browser', title: 'the browser holds and retrieves under one key', run: (tools) => held(tools, async (call) => {
    await call.do('hold');
    await sleep(600);
    await call.do('unhold');
  }) },
  { name: 'srtp_hold_from_phone', title: 'the phone holds and retrieves under one key', run: (tools) => held(tools, async (call) => {
    const agent = await tools.baresip();
    await agent.command('uafind', 'sip:1004@lab.example');  // `hold` is about the account that is current
    await agent.command('hold');
    await call.event('hold', 2000);
    await agent.command('resume');
    await call.event('unhold', 2000);
  }) },
  { name: 'srtp_required_refuses_caller', title: '488 to a phone that offers plain RTP', async run(tools) {
    await tools.browser.phone('1001');
    const agent = await dial(tools, '1003', '1001');
    const closed = await agent.next('CALL_CLOSED', 3000);
    require(/488/.test(closed.param), `488 expected: ${closed.param}`);
  } },
  { name: 'srtp_required_refuses_callee', title: 'no call to a phone without SRTP', async run({ browser }) {
    const phone = await browser.phone('1001');
    await expectFailure(await phone.call('1003', pcmu), 488);
  } },
  { name: 'srtp_hairpin', title: 'browser to browser through the SIP Server, SRTP between our two legs', phones: ['1001', '1002'],
    async run({ browser, lab, report }) {
      const [one, two] = [await browser.phone('1001'), await browser.phone('1002')];
      const [out, into] = await connectBrowsers(one, two);
      const inner = (await lab.control('calls')).flatMap(({ legs }) => legs).filter(({ kind }) => kind === 'sip');
      require(inner.length === 2 && inner.every(({ srtp: suite }) => suite === 'SRTP_AES128_CM_HMAC_SHA1_80'),
        `two SIP legs with SRTP expected: ${JSON.stringify(inner)}`);
      await measureAll(report, [['1001 > 1002', out], ['1002 < 1001', into]]);
      await endFrom(into, [out]);
    } },
];

export const sdesOptionalCases = [
  { name: 'srtp_optional', title: 'RTP/AVP with keys (RFC 8643) to a phone that takes them', run: (tools) => secureCall(tools, '1005', 'RTP/AVP') },
  { name: 'srtp_optional_from_phone', title: 'a phone that offers keys calls', run: (tools) => secureCallFrom(tools, '1005') },
  { name: 'srtp_optional_savp', title: 'a phone that insists on SRTP calls', run: (tools) => secureCallFrom(tools, '1004') },
  { name: 'srtp_optional_plain', title: 'plain RTP with a phone that knows no SRTP', async run(tools) {
    const { capture } = await watched(() => callBaresip(tools, { options: pcmu }));
    try {
      const plain = capture.rtpStreams('10.90.2.2').at(-1);
      require(plain.packets.every(({ type, payload }) => type !== 0 || payload.length === 160), 'packets with a tag reach it');
    } finally {
      capture.remove();
    }
  } },
];
