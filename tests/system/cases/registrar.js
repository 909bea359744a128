// The lab with the embedded registrar: users 1001 and 1002, test numbers, calls between browsers.
import fs from 'node:fs';
import { connectBrowsers, endFrom, expectFailure, measureAll, require } from './call.js';
import { Capture } from '../harness/capture.js';
import { inNamespace, runDirectory, sleep, untilTrue } from '../harness/process.js';

const call = async ({ browser, report }, target, options) => {
  const phone = await browser.phone('1001');
  const one = await phone.call(target, options);
  await one.event('accepted');
  await one.media();
  await measureAll(report, [[`1001 > ${target}`, one]]);
  await endFrom(one, []);
};

// What a STUN client in lg-web or lg-sip learns of itself. Where a server can do behaviour discovery (RFC 5780) this
// client goes on, ends with a padded request in IP fragments, which we never take, and waits for ever.
async function reflexive(side, address) {
  const { stdout } = await inNamespace(side, 'timeout', ['1', 'turnutils_stunclient', '-p', '3478', address]);
  return /reflexive addr: (\S+)/.exec(stdout)?.[1] ?? `no answer: ${stdout.trim()}`;
}

export const registrarCases = [
  { name: 'stun', title: 'STUN Binding on both sides, IPv4 and IPv6', async run() {
    for (const [side, network] of [['web', 1], ['sip', 2]]) {
      const [four, six] = [await reflexive(side, `10.90.${network}.1`), await reflexive(side, `fd90:${network}::1`)];
      require(four.startsWith(`10.90.${network}.2:`), four);
      require(six.includes(`fd90:${network}::2`), six);
    }
  } },
  { name: 'no_way_in', title: 'UDP from the public side to a private address is dropped and counted', async run({ lab }) {
    const capture = await Capture.start('sip', 'lgs0', 'udp');
    try {
      const before = await lab.drops();
      for (const target of ['10.90.2.1 40000', '10.90.2.2 30000']) {
        await inNamespace('web', 'bash', ['-c', `exec 3<>/dev/udp/${target.replace(' ', '/')}; for n in {1..20}; do echo secret $n >&3; done; true`]);
      }
      await sleep(300);
      const counted = (await lab.drops()) - before;
      await capture.stop();
      require([...capture.payloads()].length === 0, 'a packet crossed to the private side');
      require(counted >= 20, `20 packets to 10.90.2.1:40000, ${counted} counted as dropped`);
    } finally {
      await capture.stop();
      capture.remove();
    }
  } },
  { name: 'fragments', title: 'fragments for our ports are dropped and counted', async run({ lab }) {
    const counted = async () => (await lab.control('drops')).packets.xdp_fragment;
    const before = await counted();
    const send = 'const s=require("dgram").createSocket("udp4");let n=0;' +
      'for(let i=0;i<5;i++)s.send(Buffer.alloc(3000),20000,"10.90.1.1",()=>{if(++n===5)s.close()})';
    await inNamespace('web', process.execPath, ['-e', send]);
    await untilTrue('5 first fragments counted', 2500, async () => (await counted()) === before + 5);
  } },
  { name: 'least_privilege', title: 'the control plane is no root and cannot read the keys of media', async run() {
    const pid = fs.readFileSync(`${runDirectory}/controlplane.pid`, 'utf8').trim();
    const status = fs.readFileSync(`/proc/${pid}/status`, 'utf8');
    const [uid] = /^Uid:\s+(\d+)/m.exec(status).slice(1);
    require(uid !== '0', 'the control plane runs as root');
    require(/^CapEff:\s+0*1000$/m.test(status), `more than CAP_NET_ADMIN: ${/^CapEff:.*/m.exec(status)}`);
    const vault = fs.statSync(`${runDirectory}/runtime/vault`);
    require(vault.uid !== Number(uid) && (vault.mode & 0o077) === 0, 'the vault is open to the control plane');
  } },
  { name: 'register', title: 'JsSIP registers over WSS', async run({ browser, report }) {
    const phone = await browser.phone('1001');
    report({ call: '1001', ...phone.times });
  } },
  { name: 'wrong_password', title: 'a wrong password reaches the page as a failure', async run({ browser }) {
    const phone = await browser.open('1001-intruder');
    try {
      const refused = await phone.start({ password: 'not this one' }).then(() => '', (error) => error.message);
      require(/registration failed.*40[13]/.test(refused), `401 or 403 expected: ${refused || 'registered'}`);
    } finally {
      await phone.close();
    }
  } },
  { name: 'echo', title: 'browser to echo', run: (tools) => call(tools, 'echo') },
  { name: 'echo_pcma', title: 'echo with G.711 A-law alone', run: (tools) => call(tools, 'echo', { codecs: ['PCMA'] }) },
  { name: 'tone', title: 'browser to tone', run: (tools) => call(tools, 'tone') },
  { name: 'browser_to_browser', title: 'the caller hangs up', phones: ['1001', '1002'], async run({ browser, report }) {
    const [one, two] = [await browser.phone('1001'), await browser.phone('1002')];
    const [out, into] = await connectBrowsers(one, two);
    await measureAll(report, [['1001 > 1002', out], ['1002 < 1001', into]]);
    await endFrom(out, [into]);
  } },
  { name: 'callee_hangs_up', title: 'the callee hangs up', phones: ['1001', '1002'], async run({ browser, report }) {
    const [one, two] = [await browser.phone('1002'), await browser.phone('1001')];
    const [out, into] = await connectBrowsers(one, two, { options: { codecs: ['PCMU', 'telephone-event'] } });
    await measureAll(report, [['1002 > 1001', out], ['1001 < 1002', into]]);
    await endFrom(into, [out]);
  } },
  { name: 'cancel', title: 'CANCEL before the answer', phones: ['1001', '1002'], async run({ browser }) {
    const [one, two] = [await browser.phone('1001'), await browser.phone('1002')];
    const out = await one.call('1002');
    const into = await two.incoming();
    await out.event('progress');
    await out.hangup();
    const [here, there] = [await out.event('failed'), await into.event('failed')];
    require(here.cause === 'Canceled' && there.cause === 'Canceled', `Canceled expected: ${here.cause}, ${there.cause}`);
  } },
  { name: 'busy', title: '486 from the callee', phones: ['1001', '1002'], async run({ browser }) {
    const [one, two] = [await browser.phone('1001'), await browser.phone('1002')];
    const out = await one.call('1002');
    const into = await two.incoming();
    await into.hangup({ status_code: 486 });
    await expectFailure(out, 486);
  } },
  { name: 'unknown_user', title: '404 for a user who does not exist', async run({ browser }) {
    const phone = await browser.phone('1001');
    await expectFailure(await phone.call('1999'), 404);
  } },
  { name: 'unregistered_user', title: '480 for a user who is not registered', async run({ browser }) {
    const phone = await browser.phone('1001');
    await browser.closePhone('1002');
    await expectFailure(await phone.call('1002'), 480);
  } },
  { name: 'no_common_codec', title: '488 when the tone is called with Opus alone', async run({ browser }) {
    const phone = await browser.phone('1001');
    await expectFailure(await phone.call('tone', { codecs: ['opus'] }), 488);
  } },
  { name: 'no_fingerprint', title: '488 for an offer without a fingerprint', async run({ browser }) {
    const phone = await browser.phone('1001');
    await expectFailure(await phone.call('echo', { replace: [['^a=fingerprint:.*\\r\\n', '']] }), 488);
  } },
  { name: 'ipv6_only', title: 'echo over IPv6, IPv4 UDP dropped', async run({ browser, lab, report }) {
    const phone = await browser.open('1001-six');
    try {
      await lab.withoutIpv4Udp(async () => {
        await phone.start({ wss: browser.options.wss6 });
        const one = await phone.call('echo');
        await one.event('accepted');
        await one.media();
        const [row] = await measureAll(report, [['1001 > echo', one]]);
        require(row.remote?.startsWith('fd90:1:'), `an IPv6 pair expected: ${row.local} to ${row.remote}`);
        await endFrom(one, []);
      });
    } finally {
      await phone.close();
    }
  } },
  { name: 'media_over_ipv6', title: 'WSS over IPv4, media over IPv6', async run({ browser, lab, report }) {
    const phone = await browser.phone('1001');
    await lab.withoutIpv4Udp(async () => {
      const one = await phone.call('echo');
      await one.event('accepted');
      await one.media();
      const [row] = await measureAll(report, [['1001 > echo', one]]);
      require(row.remote?.startsWith('fd90:1:'), `an IPv6 pair expected: ${row.local} to ${row.remote}`);
      await endFrom(one, []);
    });
  } },
  { name: 'hold', title: 'hold and retrieve between browsers, from both sides', phones: ['1001', '1002'], async run({ browser, report }) {
    const [one, two] = [await browser.phone('1001'), await browser.phone('1002')];
    const [out, into] = await connectBrowsers(one, two);
    for (const [holder, held] of [[out, into], [into, out]]) {
      await Promise.all(['hold', 'unhold'].map((name) => held.do('forget', name)));
      await holder.do('hold');
      await held.event('hold', 2000);
      await holder.do('unhold');
      await held.event('unhold', 2000);
    }
    await sleep(300);
    await measureAll(report, [['1001 > 1002', out], ['1002 < 1001', into]]);
    await endFrom(out, [into]);
  } },
  { name: 'in_dialog', title: 'in-dialog requests reach the other page, and its answers come back', phones: ['1001', '1002'], async run({ browser }) {
    const [one, two] = [await browser.phone('1001'), await browser.phone('1002')];
    const [out, into] = await connectBrowsers(one, two);
    await out.do('dtmf', '5', 'INFO');
    await into.do('digits', '5');
    await into.do('dtmf', '6', 'INFO');
    await out.do('digits', '6');
    // What counts is that JsSIP's answer, and not one of ours, comes back: it takes MESSAGE and refuses PUBLISH.
    for (const [method, codes] of [['MESSAGE', [200]], ['PUBLISH', [405, 501]]]) {
      await out.do('send', method, { body: 'hello', extraHeaders: ['Content-Type: text/plain'] });
      const answer = await out.event(`answer to ${method}`, 3000);
      require(codes.includes(answer.code), `${method} was answered ${answer.code}`);
    }
    require((await two.do('lastMessage')) === 'hello', 'the body of MESSAGE did not arrive');
    await out.do('renegotiate', true);
    await into.event('update', 2000);
    await endFrom(out, [into]);
  } },
  { name: 'fork', title: 'two browsers of one user ring, one answers', phones: ['1001', '1002', '1002-b'], async run({ browser, report }) {
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
];
