// Two pages that call each other without a gateway: RTCPeerConnections whose descriptions this driver carries over.
import fs from 'node:fs';
import path from 'node:path';
import { fileURLToPath } from 'node:url';
import { sleep } from './process.js';

const script = fs.readFileSync(path.join(path.dirname(fileURLToPath(import.meta.url)), '../page/pair.js'), 'utf8');

export class PairEnd {
  static async open(engine, configuration) {
    const context = await engine.newContext({ ignoreHTTPSErrors: true });
    const page = await context.newPage();
    await page.route('**/*', (route) => route.fulfill({ contentType: 'text/html', body: '<!doctype html><title>pair</title>' }));
    await page.goto('https://pair.invalid/');
    await page.addScriptTag({ content: script });
    await page.evaluate((one) => window.pair.open(one), configuration);
    return new PairEnd(context, page);
  }

  constructor(context, page) { Object.assign(this, { context, page }); }

  do(method, ...args) { return this.page.evaluate(([name, list]) => window.pair[name](...list), [method, args]); }
  // With the page, the allocation is given back only when there is a moment for it.
  async close() {
    await this.do('close');
    await sleep(300);
    await this.context.close();
  }
}

// Connects both ends (each description carries all its candidates) and watches them for `seconds`.
export async function talk([one, two], seconds = 3) {
  await one.do('accept', await two.do('answer', await one.do('offer')));
  await Promise.all([one.do('connected', 10000), two.do('connected', 10000)]);
  await sleep(500); // the first packets of a call are not measured
  const first = await Promise.all([one.do('stats'), two.do('stats')]);
  await sleep(seconds * 1000);
  const last = await Promise.all([one.do('stats'), two.do('stats')]);
  return last.map((end, n) => ({
    ...end, received_pps: (1000 * (end.received - first[n].received)) / (end.at_ms - first[n].at_ms),
    sent_pps: (1000 * (end.sent - first[n].sent)) / (end.at_ms - first[n].at_ms), energy: end.energy - first[n].energy }));
}
