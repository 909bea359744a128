// What browsers do only when made to, in the lab with the embedded registrar: other DTLS roles, false fingerprints,
// offers that cross, signalling from another host than media.
import { connectBrowsers, endFrom, measureAll, require } from './call.js';
import { OtherHost } from '../harness/other_host.js';
import { inNamespace, sleep } from '../harness/process.js';

const passive = [['^a=setup:(active|actpass)', 'a=setup:passive']];
// The first bytes of the browser's own fingerprint, changed in what is sent; the browser presents the true certificate.
const forged = [['^(a=fingerprint:sha-256 )..:..', '$100:11']];

async function rolesOf(call) { return (await call.stats()).role; }

async function dtlsFailures(lab) { return (await lab.control('drops')).signalling.media_dtls_failed; }

export const negotiationCases = [
  { name: 'passive_offer', title: 'a browser that offers to be passive: the gateway is the DTLS client', async run({ browser, report }) {
    const phone = await browser.phone('1001');
    const one = await phone.call('echo', { replace: passive });
    await one.event('accepted');
    await one.media();
    await measureAll(report, [['1001 > echo', one]]);
    require((await rolesOf(one)) === 'server', `the browser is DTLS ${await rolesOf(one)}`);
    await endFrom(one, []);
  } },
  { name: 'passive_answer', title: 'a browser that answers passive: the gateway is the DTLS client', phones: ['1001', '1002'],
    async run({ browser, report }) {
      const [one, two] = [await browser.phone('1001'), await browser.phone('1002')];
      await two.do('setLocalReplace', passive);
      try {
        const [out, into] = await connectBrowsers(one, two);
        await measureAll(report, [['1001 > 1002', out], ['1002 < 1001', into]]);
        const roles = [await rolesOf(out), await rolesOf(into)];
        require(roles.join() === 'client,server', `DTLS roles of the browsers: ${roles}`);
        await endFrom(out, [into]);
      } finally {
        await two.do('setLocalReplace', []);
      }
    } },
  { name: 'false_fingerprint', title: 'a caller whose certificate is not the one it announced', async run({ browser, lab }) {
    const phone = await browser.phone('1001');
    const before = await dtlsFailures(lab);
    const one = await phone.call('echo', { replace: forged });
    await one.event('accepted');
    const ended = await one.event('ended', 4000);
    require(ended.originator === 'remote', `ended by ${ended.originator}`);
    require((await one.stats()).received === 0, 'media was sent to it');
    require((await dtlsFailures(lab)) === before + 1, 'the failure is not counted');
  } },
  { name: 'false_fingerprint_answered', title: 'a callee whose certificate is not the one it announced', phones: ['1001', '1002'],
    async run({ browser, lab }) {
      const [one, two] = [await browser.phone('1001'), await browser.phone('1002')];
      const before = await dtlsFailures(lab);
      await two.page.evaluate((list) => { window.phone.answerOptions = { replace: list }; }, forged);
      try {
        const out = await one.call('1002');
        const into = await two.incoming();
        await into.answer();
        const ends = await Promise.all([out.event('ended', 4000), into.event('ended', 4000)]);
        require(ends.every(({ originator }) => originator === 'remote'), 'not ended by the gateway');
        require((await dtlsFailures(lab)) === before + 1, 'the failure is not counted');
      } finally {
        await two.page.evaluate(() => { window.phone.answerOptions = {}; });
      }
    } },
  { name: 'glare', title: 'two re-INVITEs that cross: 491, and both succeed at their second attempt', phones: ['1001', '1002'],
    async run({ browser, lab, report }) {
      const [one, two] = [await browser.phone('1001'), await browser.phone('1002')];
      const [out, into] = await connectBrowsers(one, two);
      const glare = async () => (await lab.control('drops')).signalling.sip_glare;
      const before = await glare();
      // 1002 sends its re-INVITE while the caller's has reached its machine, but not its page.
      await two.do('holdBack');
      const renegotiated = out.do('renegotiate', false);
      renegotiated.catch(() => {}); // when something below fails first
      await two.do('heldBack', 1);
      await into.do('reinvite');
      const lines = await two.do('heldBack', 2);
      require(/^INVITE /.test(lines[0]) && /^SIP\/2.0 491 /.test(lines[1]), `1002 is sent ${lines}`);
      require((await glare()) === before + 1, 'glare is not counted');
      await two.do('release', 1); // answered 491 by JsSIP: its own is open
      await sleep(400);           // so that the second attempts, a second after each 491, do not cross again
      await two.do('release');
      const answered = await into.event('reinvite answered', 3000);
      require(answered.code === 200, `answered ${answered.code}`);
      await renegotiated;
      await measureAll(report, [['1001 > 1002', out], ['1002 < 1001', into]], { seconds: 2 });
      await endFrom(out, [into]);
    } },
  { name: 'two_hosts', title: 'WSS from one host, media from another', limitMs: 15000, async run({ browser, lab, report }) {
    const other = await OtherHost.up();
    const phone = await browser.open('1001-relayed');
    try {
      await other.forward(8443, '10.90.1.1:443');
      await phone.start({ wss: 'wss://127.0.0.1:8443/' });
      const one = await phone.call('echo');
      await one.event('accepted');
      await one.media();
      await measureAll(report, [['1001 > echo', one]]);
      const { stdout } = await inNamespace('core', 'ss', ['-Htn', 'sport = :443', 'and', 'dst', OtherHost.address]);
      require(stdout.includes('ESTAB'), `no WSS from ${OtherHost.address}`);
      const [call] = (await lab.control('calls')).filter(({ legs }) => legs.length > 0);
      require(/^(10\.90\.1\.2|\[fd90:1::2\]):/.test(call.legs[0].remote), `media from ${call.legs[0].remote}`);
      await endFrom(one, []);
    } finally {
      await phone.close();
      await other.down();
    }
  } },
];
