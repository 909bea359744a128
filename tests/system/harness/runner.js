// Runs cases one after the other, some beside all others, each with a hard time-out and the check that the gateway's
// counts return to what they were.
import { sleep } from './process.js';

export const caseLimitMs = 8000;
const settleLimitMs = 2000;

class TimedOut extends Error {}

function withTimeout(promise, limitMs) {
  let timer;
  const late = new Promise((_, reject) => {
    timer = setTimeout(() => reject(new TimedOut(`not finished after ${limitMs} ms`)), limitMs);
  });
  return Promise.race([promise, late]).finally(() => clearTimeout(timer));
}

export class Runner {
  // tools: what a case gets: lab, browser, baresip (a function that connects on first use).
  constructor(tools, { onResult = () => {} } = {}) {
    this.tools = tools;
    this.onResult = onResult;
    this.results = [];
  }

  async #runOne(one, baseline) {
    let start = Date.now();
    const result = { name: one.name, title: one.title, rows: [] };
    const tools = { ...this.tools, report: (row) => result.rows.push(row) };
    try {
      // Opening a page is not what is measured.
      for (const name of one.phones ?? ['1001']) {
        if (!one.beside) await withTimeout(this.tools.browser.phone(name), caseLimitMs);
      }
      start = Date.now();
      await withTimeout(one.run(tools), one.limitMs ?? caseLimitMs);
      result.ran_ms = Date.now() - start;
      if (baseline) result.settled_ms = await this.tools.lab.returnsTo(baseline, settleLimitMs);
      for (const name of (one.phones ?? []).filter((phone) => phone.includes('-'))) await this.tools.browser.closePhone(name);
      result.ok = true;
    } catch (error) {
      result.ran_ms ??= Date.now() - start;
      result.ok = false;
      result.error = error.message.split('\n')[0];
      if (baseline) await this.#cleanUp(baseline);
    }
    this.results.push(result);
    this.onResult(result);
    return result;
  }

  // After a failure: end what is left, so that the next case starts from the same counts if at all possible.
  async #cleanUp(baseline) {
    const busy = this.background ?? [];
    await withTimeout(this.tools.browser.endAllCalls(busy), 2000).catch(() => {});
    for (const name of [...this.tools.browser.phones.keys()].filter((phone) => !busy.includes(phone))) {
      await withTimeout(this.tools.browser.closePhone(name), 2000).catch(() => {});
    }
    await this.tools.lab.returnsTo(baseline, settleLimitMs).catch(() => {});
  }

  // Cases with `beside` set (the name of the phone they use) run while all the others do.
  async run(cases) {
    const beside = cases.filter((one) => one.beside);
    const idle = { calls: 0, legs: 0, flows: 0 };
    this.background = beside.map((one) => one.beside);
    const running = beside.map((one) => this.#runOne(one, null));
    if (running.length > 0) await sleep(3000);
    let baseline = running.length > 0 ? await this.tools.lab.load() : idle;
    for (const one of cases.filter((other) => !other.beside)) {
      await this.#runOne(one, baseline);
      if (!this.results.at(-1).ok) baseline = await this.tools.lab.load().catch(() => baseline);
    }
    for (const result of await Promise.all(running)) {
      if (!result.ok) continue;
      try {
        result.settled_ms = await this.tools.lab.returnsTo(idle, settleLimitMs);
      } catch (error) {
        result.ok = false;
        result.error = error.message;
      }
    }
    return this.results.every((result) => result.ok);
  }
}
