// The lab with a SIP Server: Kamailio challenges and routes every call; baresip is user 1003.
import { connectBrowsers, endFrom, expectFailure, measureAll, require } from './call.js';
import { Capture } from '../harness/capture.js';
import { beepsAtBaresip, beepsOnTheWire } from '../harness/media.js';
import { inNamespace, runDirectory, sleep } from '../harness/process.js';

const kamailio = (...args) => inNamespace('sip', 'kamcmd', ['-s', `unix:${runDirectory}/kamailio_ctl`, ...args]);

// A measured call from 1001 to baresip; `during` runs before measuring.
export async function callBaresip(tools, { user = '1003', options = {}, label = `1001 > ${user}`, during = async () => {}, end } = {}) {
  const { browser, report } = tools;
  const phone = await browser.phone('1001');
  const since = Date.now();
  const call = await phone.call(user, options);
  await call.event('accepted');
  await call.media();
  const answer = (await call.do('sdp')).find((one) => one.originator === 'remote').sdp;
  require(!/10\.90\.2\.|fd90:2:/.test(answer), 'the browser is told a private address');
  await during(call);
  const rows = [];
  await measureAll((row) => rows.push(row), [[label, call]]);
  if (end) await end(call);
  else await endFrom(call, []);
  const { beeps } = await beepsAtBaresip(since, 3);
  rows.forEach((row) => report({ ...row, beeps }));
  return rows[0];
}

// A call that `hold` holds and retrieves, and that is measured afterwards.
async function heldCall({ browser, report }, hold) {
  const phone = await browser.phone('1001');
  const capture = await Capture.start('sip', 'lgs0', 'udp and dst host 10.90.2.2');
  try {
    const call = await phone.call('1003', { codecs: ['PCMU', 'telephone-event'] });
    await call.event('accepted');
    await call.media();
    await hold(call);
    await sleep(300);
    const since = Date.now() / 1000;
    const rows = [];
    await measureAll((row) => rows.push(row), [['1001 > 1003', call]]);
    await endFrom(call, []);
    report({ ...rows[0], beeps: (await beepsOnTheWire(capture, since, 3)).beeps });
  } finally {
    await capture.stop();
    capture.remove();
  }
}

const withCodec = (codec) => async (tools) => {
  const row = await callBaresip(tools, { options: { codecs: [codec, 'telephone-event'] }, label: `1001 > 1003 ${codec}` });
  require(row.codec.toLowerCase() === codec.toLowerCase(), `${codec} expected, got ${row.codec}`);
};

async function fromBaresip({ baresip }, target) {
  const phone = await baresip();
  phone.forgetEvents();
  await phone.dial(target);
  return phone;
}

export const sipServerCases = [
  { name: 'long_call', title: '100 s with the session timer of JsSIP', beside: 'long', limitMs: 115000,
    async run({ browser, report }) {
      const phone = await browser.phone('long', { user: '1001', password: '1001', register: false });
      const since = Date.now();
      const call = await phone.call('1003', { codecs: ['PCMU', 'telephone-event'] });
      await call.event('accepted');
      await call.media();
      const rows = [];
      await measureAll((row) => rows.push(row), [['1001 > 1003, 100 s', call]], { seconds: 100 });
      await endFrom(call, []);
      report({ ...rows[0], beeps: (await beepsAtBaresip(since, 90, { first: true })).beeps });
    } },
  { name: 'sip_register', title: 'REGISTER is relayed, with our address as contact', async run({ browser, report }) {
    const phone = await browser.phone('1001');
    report({ call: '1001', ...phone.times });
    const { stdout } = await kamailio('ul.lookup', 'location', 's:1001');
    require(/Address: sip:[^\s]*@10\.90\.2\.1:5060/.test(stdout), `the SIP Server's contact is not ours: ${/Address:.*/.exec(stdout)}`);
    require(!/invalid|10\.90\.1\./.test(stdout), 'the SIP Server sees an address of the browser');
  } },
  { name: 'sip_wrong_password', title: 'a wrong password is refused by the SIP Server', async run({ browser }) {
    const phone = await browser.open('1001-intruder');
    try {
      const refused = await phone.start({ password: 'not this one' }).then(() => '', (error) => error.message);
      require(/registration failed.*40[13]/.test(refused), `401 or 403 expected: ${refused || 'registered'}`);
    } finally {
      await phone.close();
    }
  } },
  { name: 'call_wrong_password', title: 'an INVITE with a wrong password fails', async run({ browser }) {
    const phone = await browser.open('1001-intruder');
    try {
      await phone.start({ password: 'not this one', register: false });
      await expectFailure(await phone.call('1003'), 407);
    } finally {
      await phone.close();
    }
  } },
  { name: 'unknown_caller', title: 'who never shows a password holds few ports, however often it calls', async run({ browser, lab }) {
    const before = await lab.load();
    const phone = await browser.open('1001-intruder');
    try {
      await phone.start({ password: 'not this one', register: false });
      for (let n = 0; n < 8; n++) await expectFailure(await phone.call('1003'), 407);
      const held = (await lab.load()).calls - before.calls;
      require(held >= 1 && held <= 4, `${held} calls are kept for a retry`);
      const { signalling } = await lab.control('drops');
      require(signalling.sip_unproven_evicted >= 4, `${signalling.sip_unproven_evicted} made room`);
    } finally {
      await phone.close();
    }
  } },
  { name: 'browser_to_baresip', title: 'whatever codec comes of it', run: (tools) => callBaresip(tools) },
  { name: 'baresip_pcmu', title: 'G.711 mu-law', run: withCodec('PCMU') },
  { name: 'baresip_pcma', title: 'G.711 A-law', run: withCodec('PCMA') },
  { name: 'baresip_opus', title: 'Opus passed through', run: withCodec('opus') },
  { name: 'baresip_hangs_up', title: 'the SIP side hangs up', run: (tools) => callBaresip(tools, {
    async end(call) {
      // baresip's current call is the newest one, so a call beside this one stays.
      await (await tools.baresip()).command('hangup');
      await call.event('ended', 2000);
    } }) },
  { name: 'baresip_to_browser', title: 'the SIP side calls, the browser hangs up', async run(tools) {
    const { browser, report } = tools;
    const phone = await browser.phone('1001');
    const since = Date.now();
    const agent = await fromBaresip(tools, '1001');
    const call = await phone.incoming();
    await call.answer();
    await Promise.all([call.event('confirmed'), agent.next('CALL_ESTABLISHED')]);
    await call.media();
    const rows = [];
    await measureAll((row) => rows.push(row), [['1001 < 1003', call]]);
    await endFrom(call, []);
    await agent.next('CALL_CLOSED', 2000);
    report({ ...rows[0], beeps: (await beepsAtBaresip(since, 3)).beeps });
  } },
  { name: 'baresip_cancels', title: 'the SIP side gives up while the browser rings', async run(tools) {
    const phone = await tools.browser.phone('1001');
    const agent = await fromBaresip(tools, '1001');
    const call = await phone.incoming();
    await agent.next('CALL_RINGING', 3000);
    await agent.command('hangup');
    const failed = await call.event('failed', 2000);
    require(failed.cause === 'Canceled', `Canceled expected: ${failed.cause}`);
  } },
  { name: 'browser_is_busy', title: '486 from the browser reaches the SIP side', async run(tools) {
    const phone = await tools.browser.phone('1001');
    const agent = await fromBaresip(tools, '1001');
    const call = await phone.incoming();
    await call.hangup({ status_code: 486 });
    const closed = await agent.next('CALL_CLOSED', 3000);
    require(/486/.test(closed.param), `486 expected: ${closed.param}`);
  } },
  { name: 'hairpin', title: 'browser to browser through the SIP Server', phones: ['1001', '1002'], async run({ browser, report }) {
    const [one, two] = [await browser.phone('1001'), await browser.phone('1002')];
    const [out, into] = await connectBrowsers(one, two);
    await measureAll(report, [['1001 > 1002', out], ['1002 < 1001', into]]);
    await endFrom(into, [out]);
  } },
  { name: 'sip_fork', title: 'two browsers of one user ring at once, CANCEL hits the right one',
    phones: ['1001', '1002', '1002-b'], async run({ browser, report }) {
    const [one, two, third] = [await browser.phone('1001'), await browser.phone('1002'), await browser.phone('1002-b')];
    const out = await one.call('1002');
    const [first, second] = await Promise.all([two.incoming(), third.incoming()]);
    await second.answer();
    await out.event('accepted');
    await first.event('failed', 2000);
    await Promise.all([out.media(), second.media()]);
    await measureAll(report, [['1001 > 1002', out], ['1002-b < 1001', second]]);
    await endFrom(second, [out]);
  } },
  { name: 'sip_cancel', title: 'CANCEL through the SIP Server', phones: ['1001', '1002'], async run({ browser }) {
    const [one, two] = [await browser.phone('1001'), await browser.phone('1002')];
    const out = await one.call('1002');
    const into = await two.incoming();
    await out.event('progress');
    await out.hangup();
    await Promise.all([out.event('failed'), into.event('failed')]);
  } },
  { name: 'sip_unknown_user', title: '404 from the SIP Server', async run({ browser }) {
    await expectFailure(await (await browser.phone('1001')).call('1999'), 404);
  } },
  { name: 'sip_unregistered_user', title: '480 from the SIP Server', async run({ browser }) {
    const phone = await browser.phone('1001');
    await browser.closePhone('1002');
    await expectFailure(await phone.call('1002'), 480);
  } },
  { name: 'sip_no_common_codec', title: '488 from a phone without G.722', async run({ browser }) {
    const phone = await browser.phone('1001');
    await expectFailure(await phone.call('1003', { codecs: ['G722'] }), 488);
  } },
  { name: 'hold_from_browser', title: 'the browser holds and retrieves', run: (tools) => heldCall(tools, async (call) => {
    await call.do('hold');
    await sleep(600);
    const before = await call.stats();
    await sleep(400);
    const after = await call.stats();
    require(after.received - before.received < 5, `${after.received - before.received} packets received while on hold`);
    await call.do('unhold');
  }) },
  { name: 'hold_from_baresip', title: 'the SIP side holds and retrieves', run: (tools) => heldCall(tools, async (call) => {
    const agent = await tools.baresip();
    await agent.command('hold');
    await call.event('hold', 2000);
    await agent.command('resume');
    await call.event('unhold', 2000);
  }) },
  { name: 'dtmf', title: 'RFC 4733 digits reach the SIP side, whatever their payload type', run: (tools) => callBaresip(tools, {
    options: { codecs: ['PCMU', 'telephone-event'] },
    async during(call) {
      const agent = await tools.baresip();
      agent.forgetEvents();
      await call.do('dtmf', '147', 'RFC2833');
      const digits = [];
      while (digits.length < 3) digits.push((await agent.next('CALL_DTMF_START', 1500)).param);
      require(digits.join('') === '147', `147 expected: ${digits}`);
    } }) },
  { name: 'video_offered', title: 'a video section is refused by an audio phone', run: (tools) => callBaresip(tools, {
    options: { video: true },
    async during(call) {
      const answer = (await call.do('sdp')).find((one) => one.originator === 'remote');
      require(/^m=video 0 /m.test(answer.sdp), 'm=video 0 expected in the answer');
    } }) },
  { name: 'large_invite', title: 'an INVITE with 4 kB of X- headers crosses whole, over TCP', async run(tools) {
    const filler = Array.from({ length: 40 }, (_, n) => `X-Filler-${n}: ${String(n).padStart(2, '0').repeat(45)}`);
    const capture = await Capture.start('sip', 'lgs0', 'port 5060');
    try {
      await callBaresip(tools, { options: { session: { extraHeaders: filler } } });
      await capture.stop();
      const sent = [...capture.payloads()].filter(({ from, to }) => from.startsWith('10.90.2.1:') && to === '10.90.2.2:5060');
      const stream = sent.filter(({ protocol }) => protocol === 'tcp').map(({ payload }) => payload.toString('latin1')).join('');
      require(stream.includes('INVITE sip:1003@'), 'no INVITE was sent over TCP');
      const lost = filler.filter((line) => !stream.includes(`${line}\r\n`));
      require(lost.length === 0, `not passed on: ${lost.slice(0, 3)}`);
      require(sent.every(({ protocol, payload }) => protocol === 'tcp' || payload.length <= 1300), 'more than 1,300 bytes were sent over UDP');
    } finally {
      await capture.stop();
      capture.remove();
    }
  } },
  { name: 'sip_ipv6', title: 'IPv6 to the browser, IPv4 to the phone', async run(tools) {
    await tools.lab.withoutIpv4Udp(async () => {
      const row = await callBaresip(tools);
      require(row.remote?.startsWith('fd90:1:'), `an IPv6 pair expected: ${row.local} to ${row.remote}`);
    });
  } },
];
