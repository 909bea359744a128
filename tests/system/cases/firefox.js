// Firefox, the other browser engine, in the lab with the embedded registrar.
import { connectBrowsers, endFrom, measureAll, require } from './call.js';
import { FirefoxPhone } from '../harness/firefox.js';

export const firefoxCases = [
  { name: 'firefox', title: 'Firefox registers, calls echo and tone, calls Chromium and is called by it', phones: ['1001'], limitMs: 60000,
    async run({ browser, report }) {
      const chromium = await browser.phone('1001');
      const firefox = await FirefoxPhone.open('1002-firefox', browser.options);
      try {
        await firefox.start();
        for (const target of ['echo', 'tone']) {
          const one = await firefox.call(target);
          await one.event('accepted');
          await one.media();
          await measureAll(report, [[`1002 (Firefox) > ${target}`, one]]);
          await endFrom(one, []);
        }
        const [out, into] = await connectBrowsers(firefox, chromium);
        await measureAll(report, [['1002 (Firefox) > 1001', out], ['1001 < 1002 (Firefox)', into]]);
        await endFrom(out, [into]);
        const [back, here] = await connectBrowsers(chromium, firefox);
        await measureAll(report, [['1001 > 1002 (Firefox)', back], ['1002 (Firefox) < 1001', here]]);
        await here.do('hold');
        await back.event('hold', 2000);
        await here.do('unhold');
        await back.event('unhold', 2000);
        require((await back.stats()).lost === 0, 'packets were lost around hold');
        await endFrom(here, [back]);
      } finally {
        await firefox.close();
      }
    } },
];
