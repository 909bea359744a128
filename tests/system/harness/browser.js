// One headless Chromium inside lg-web, kept open for all cases; every page is one SIP user agent.
import fs from 'node:fs';
import path from 'node:path';
import { fileURLToPath } from 'node:url';
import { chromium } from 'playwright-core';
import { execute, namespaceOf, root } from './process.js';

const here = path.dirname(fileURLToPath(import.meta.url));
export const bundle = path.join(root, 'build/web-test/page.js');
export const chromiumProgram = path.join(here, 'chromium_in_namespace.sh');

export const chromiumFlags = [
  '--no-sandbox', '--ignore-certificate-errors', '--use-fake-device-for-media-stream', '--use-fake-ui-for-media-stream',
  '--autoplay-policy=no-user-gesture-required', '--disable-gpu',
  '--disable-features=WebRtcHideLocalIpsWithMdns,LocalNetworkAccessChecks'];

// The page script with JsSIP inside, made again when a source of it is newer.
export async function bundlePage() {
  const web = path.join(root, 'controlplane/web');
  const sources = [path.join(here, '../page/page.js'), path.join(web, 'package-lock.json')];
  const made = fs.existsSync(bundle) ? fs.statSync(bundle).mtimeMs : 0;
  if (sources.every((file) => fs.statSync(file).mtimeMs < made)) return;
  const { code, stderr } = await execute(path.join(web, 'node_modules/.bin/esbuild'),
    [sources[0], '--bundle', '--format=iife', `--outfile=${bundle}`, '--log-level=error'],
    { env: { ...process.env, NODE_PATH: path.join(web, 'node_modules') } });
  if (code !== 0) throw new Error(`esbuild: ${stderr} (scripts/build_web.sh installs it)`);
}

export class Browser {
  static async launch({ wss, wss6, domain, namespace = namespaceOf('web'), verbose = false } = {}) {
    await bundlePage();
    const engine = await chromium.launch({
      executablePath: chromiumProgram, headless: true, args: chromiumFlags,
      env: { ...process.env, LINEGATE_NAMESPACE: namespace } });
    return new Browser(engine, { wss, wss6, domain, verbose });
  }

  constructor(engine, options) {
    this.engine = engine;
    this.options = options;
    this.phones = new Map();
  }

  // The phone of this name, kept open and registered between cases. Options: user, password, wss, register, agent.
  async phone(name, options = {}) {
    let phone = this.phones.get(name);
    if (!phone) {
      phone = await Phone.open(this.engine, name, this.options);
      this.phones.set(name, phone);
    }
    if (!phone.times || (options.register !== false && !(await phone.do('isRegistered')))) await phone.start(options);
    return phone;
  }

  // A phone that is not registered and is closed by the caller.
  open(name) { return Phone.open(this.engine, name, this.options); }

  async endAllCalls(except = []) {
    await Promise.all([...this.phones.values()].filter((phone) => !except.includes(phone.name))
      .map((phone) => phone.do('endAll').catch(() => {})));
  }

  async closePhone(name) {
    const phone = this.phones.get(name);
    this.phones.delete(name);
    await phone?.close();
  }

  async close() {
    for (const name of [...this.phones.keys()]) await this.closePhone(name).catch(() => {});
    await this.engine.close();
  }
}

export class Phone {
  static async open(engine, name, options) {
    const context = await engine.newContext({ ignoreHTTPSErrors: true });
    const page = await context.newPage();
    // A secure context of the gateway's own host, whether or not that serves pages.
    const host = new URL(options.wss.replace(/^wss/, 'https'));
    await page.route('**/*', (route) => route.fulfill({ contentType: 'text/html', body: '<!doctype html><title>phone</title>' }));
    if (options.verbose) {
      page.on('console', (message) => console.error(`[${name}] ${message.text()}`));
      page.on('pageerror', (error) => console.error(`[${name}] ${error.message}`));
    }
    await page.goto(`https://${host.host}/lab-phone`);
    await page.addScriptTag({ path: bundle });
    const phone = new Phone(name, context, page, options);
    await phone.do('ready');
    return phone;
  }

  constructor(name, context, page, options) {
    Object.assign(this, { name, context, page, options });
    this.user = name.replace(/[^0-9].*$/, '');
  }

  // Calls window.phone.METHOD in the page.
  do(method, ...args) {
    return this.page.evaluate(([name, list]) => window.phone[name](...list), [method, args]);
  }

  async start({ user = this.user, password = user, wss = this.options.wss, domain = this.options.domain, register = true, agent = {} } = {}) {
    this.user = user;
    this.times = await this.do('start', { wss, user, domain, password, register, options: agent });
    return this.times;
  }

  async call(target, options = {}) {
    const full = target.includes('@') ? target : `sip:${target}@${this.options.domain}`;
    return new Call(this, await this.do('call', full, options));
  }

  async incoming(limitMs) { return new Call(this, await this.do('incoming', limitMs)); }

  async close() {
    await this.do('stop').catch(() => {});
    await this.context.close();
  }
}

// One call as one page sees it.
export class Call {
  constructor(phone, id) { Object.assign(this, { phone, id }); }

  do(method, ...args) { return this.phone.do(method, this.id, ...args); }
  event(name, limitMs) { return this.do('event', name, limitMs); }
  answer(options) { return this.do('answer', options); }
  hangup(options) { return this.do('hangup', options); }
  stats() { return this.do('stats'); }
  media(limitMs = 4000) { return this.event('media connected', limitMs); }
}
