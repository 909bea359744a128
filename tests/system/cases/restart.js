// What a death of the control plane leaves: registrations. Calls do not survive it yet, so nothing runs beside these.
import fs from 'node:fs';
import { endFrom, measureAll } from './call.js';
import { Lab } from '../harness/lab.js';
import { runDirectory } from '../harness/process.js';

export const restartCases = [
  { name: 'stored_contact', title: 'the SIP side calls a contact stored before kill -9 of the control plane', limitMs: 20000,
    async run({ browser, baresip, report }) {
      const phone = await browser.phone('1001');
      const agent = await baresip();
      process.kill(Number(fs.readFileSync(`${runDirectory}/controlplane.pid`, 'utf8')), 'SIGKILL');
      await Lab.up(['--sip-server']); // starts again what has died
      agent.forgetEvents();
      await agent.command('dial', 'sip:1001@lab.example');
      const call = await phone.incoming();
      await call.answer();
      await Promise.all([call.event('confirmed'), agent.next('CALL_ESTABLISHED')]);
      await call.media();
      await measureAll(report, [['1001 < 1003', call]]);
      await endFrom(call, []);
    } },
];
