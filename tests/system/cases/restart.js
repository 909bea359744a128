// What an end of one of the two processes means for calls and registrations. Nothing runs beside these.
import fs from 'node:fs';
import { endFrom, expectFailure, measureAll, require } from './call.js';
import { Lab } from '../harness/lab.js';
import { inNamespace, runDirectory, untilTrue } from '../harness/process.js';

const pidOf = (name) => Number(fs.readFileSync(`${runDirectory}/${name}.pid`, 'utf8'));
const isRunning = (pid) => {
  try { return !/^\d+ \(.*\) Z/.test(fs.readFileSync(`/proc/${pid}/stat`, 'utf8')); } catch { return false; }
};

export const restartCases = [
  { name: 'stored_contact', title: 'the SIP side calls a contact stored before kill -9 of the control plane', limitMs: 20000,
    async run({ browser, baresip, report }) {
      const phone = await browser.phone('1001');
      const agent = await baresip();
      process.kill(pidOf('controlplane'), 'SIGKILL');
      await Lab.up(['--sip-server']); // starts again what has died
      agent.forgetEvents();
      await agent.dial('1001');
      const call = await phone.incoming();
      await call.answer();
      await Promise.all([call.event('confirmed'), agent.next('CALL_ESTABLISHED')]);
      await call.media();
      await measureAll(report, [['1001 < 1003', call]]);
      await endFrom(call, []);
    } },
  { name: 'dataplane_down', title: 'without a dataplane new calls get 503 at once, both ways; with the next one they pass', limitMs: 20000,
    async run({ browser, baresip, lab, report }) {
      const phone = await browser.phone('1001');
      const agent = await baresip();
      process.kill(pidOf('dataplane'), 'SIGKILL');
      await untilTrue('the control plane notices', 2000, async () => (await lab.control('status')).dataplane === 'down');
      const refused = await phone.call('1003');
      await expectFailure(refused, 503, 1000);
      agent.forgetEvents();
      await agent.dial('1001');
      const closed = await agent.next('CALL_CLOSED', 3000);
      require(/50[03]/.test(closed.param), `baresip hears ${closed.param}`);
      require((await lab.load()).calls === 0, 'a call was taken');
      await Lab.up(['--sip-server']);
      const call = await phone.call('1003');
      await call.event('accepted');
      await call.media();
      await measureAll(report, [['1001 > 1003', call]]);
      await endFrom(call, []);
    } },
  { name: 'plain_stop', title: 'SIGTERM of the control plane ends calls with BYE on both sides and keeps registrations', limitMs: 20000,
    async run({ browser, baresip, report }) {
      const phone = await browser.phone('1001');
      const agent = await baresip();
      agent.forgetEvents();
      const call = await phone.call('1003');
      await call.event('accepted');
      await Promise.all([call.media(), agent.next('CALL_ESTABLISHED')]);
      const pid = pidOf('controlplane');
      const start = Date.now();
      process.kill(pid, 'SIGTERM');
      const [ended] = await Promise.all([call.event('ended', 2000), agent.next('CALL_CLOSED', 2000)]);
      require(ended.originator === 'remote', `ended by ${ended.originator}`);
      await untilTrue('the control plane ends', 3000, () => !isRunning(pid));
      report({ call: `1001 > 1003, stopped after ${Date.now() - start} ms` });
      const { stdout } = await inNamespace('sip', 'kamcmd', ['-s', `unix:${runDirectory}/kamailio_ctl`, 'ul.lookup', 'location', 's:1001']);
      require(/Address: sip:/.test(stdout), 'the registration is gone from the SIP Server');
      await Lab.up(['--sip-server']);
    } },
];
