// A headless Firefox inside lg-web, driven over its own Marionette port: the same page as Chromium's, one user agent.
import fs from 'node:fs';
import os from 'node:os';
import path from 'node:path';
import { spawn } from 'node:child_process';
import { bundle, bundlePage, Call } from './browser.js';
import { connectInNamespace, namespaceOf, sleep } from './process.js';

const port = 2828;
const preferences = {
  'marionette.port': port,
  'media.navigator.streams.fake': true, // a steady tone
  'media.navigator.permission.disabled': true,
  'media.autoplay.default': 0,
  'media.autoplay.blocking_policy': 0,
  'media.peerconnection.ice.obfuscate_host_addresses': false,
  'browser.shell.checkDefaultBrowser': false,
  'datareporting.policy.dataSubmissionEnabled': false,
  'app.update.enabled': false,
  'network.captive-portal-service.enabled': false,
  'network.connectivity-service.enabled': false,
};

// Marionette: JSON lists with a length before them, LENGTH:[0, id, command, parameters] and LENGTH:[1, id, error, result].
class Marionette {
  static async connect(limitMs) {
    const deadline = Date.now() + limitMs;
    for (;;) {
      const connection = new Marionette(connectInNamespace('web', port, '127.0.0.1'));
      if (await Promise.race([connection.greeting.then(() => true), connection.gone.then(() => false)])) return connection;
      if (Date.now() > deadline) throw new Error(`Firefox does not listen on its port within ${limitMs} ms`);
      await sleep(100);
    }
  }

  constructor(child) {
    this.child = child;
    this.buffer = Buffer.alloc(0);
    this.waiting = new Map();
    this.nextId = 1;
    this.greeting = new Promise((resolve) => { this.waiting.set(0, { resolve }); });
    this.gone = new Promise((resolve) => { child.on('exit', resolve); });
    child.stdin.on('error', () => {});
    child.stdout.on('data', (data) => this.#take(data));
  }

  #take(data) {
    this.buffer = Buffer.concat([this.buffer, data]);
    for (;;) {
      const colon = this.buffer.indexOf(':');
      const length = Number(this.buffer.subarray(0, Math.max(colon, 0)).toString());
      if (colon < 0 || this.buffer.length < colon + 1 + length) return;
      const message = JSON.parse(this.buffer.subarray(colon + 1, colon + 1 + length).toString());
      this.buffer = this.buffer.subarray(colon + 1 + length);
      const [, id, error, result] = Array.isArray(message) ? message : [1, 0, null, message];
      const waiting = this.waiting.get(id);
      this.waiting.delete(id);
      if (error) waiting?.reject(new Error(`${error.error}: ${error.message}`));
      else waiting?.resolve(result);
    }
  }

  send(command, parameters = {}) {
    const id = this.nextId++;
    const text = JSON.stringify([0, id, command, parameters]);
    this.child.stdin.write(`${Buffer.byteLength(text)}:${text}`);
    return new Promise((resolve, reject) => { this.waiting.set(id, { resolve, reject }); });
  }

  close() { this.child.kill(); }
}

// A phone as browser.js has them, in a Firefox of its own.
export class FirefoxPhone {
  static async open(name, options) {
    await bundlePage();
    const phone = new FirefoxPhone();
    Object.assign(phone, { name, options, user: name.replace(/[^0-9].*$/, '') });
    phone.profile = fs.mkdtempSync(path.join(os.tmpdir(), 'linegate-firefox-'));
    fs.writeFileSync(path.join(phone.profile, 'user.js'),
      Object.entries(preferences).map(([key, value]) => `user_pref(${JSON.stringify(key)}, ${JSON.stringify(value)});\n`).join(''));
    phone.process = spawn('nsenter', [`--net=/run/netns/${namespaceOf('web')}`, '--', 'firefox-esr', '--headless', '--marionette',
      '--no-remote', '--profile', phone.profile], { stdio: 'ignore', detached: true, env: { ...process.env, HOME: phone.profile } });
    try {
      phone.marionette = await Marionette.connect(20000);
      await phone.marionette.send('WebDriver:NewSession', { acceptInsecureCerts: true });
      await phone.marionette.send('WebDriver:SetTimeouts', { script: 30000 });
      // A secure context of the gateway's own host.
      await phone.marionette.send('WebDriver:Navigate', { url: options.wss.replace(/^wss/, 'https') });
      await phone.#script(`${fs.readFileSync(bundle, 'utf8')}; arguments[0](null);`);
      await phone.do('ready');
    } catch (error) {
      await phone.close();
      throw error;
    }
    return phone;
  }

  async #script(script, args = []) {
    const { value } = await this.marionette.send('WebDriver:ExecuteAsyncScript', { script, args, sandbox: 'linegate', newSandbox: false });
    return value;
  }

  async do(method, ...args) {
    while (args.length > 0 && args.at(-1) === undefined) args.pop(); // JSON would make it null, which is no default
    const [result, error] = await this.#script(
      'const [method, list, done] = arguments;' +
      'Promise.resolve().then(() => window.phone[method](...list)).then((value) => done([value ?? null, null]), (error) => done([null, error.message]));',
      [method, args]);
    if (error) throw new Error(error);
    return result ?? undefined;
  }

  async start({ user = this.user, password = user, wss = this.options.wss, domain = this.options.domain, register = true, agent = {} } = {}) {
    this.times = await this.do('start', { wss, user, domain, password, register, options: agent });
    return this.times;
  }

  async call(target, options = {}) {
    return new Call(this, await this.do('call', `sip:${target}@${this.options.domain}`, options));
  }

  async incoming(limitMs) { return new Call(this, await this.do('incoming', limitMs)); }

  async close() {
    await Promise.race([this.do('stop').catch(() => {}), sleep(3000)]);
    this.marionette?.close();
    try { process.kill(-this.process.pid, 'SIGKILL'); } catch { /* gone already */ }
    fs.rmSync(this.profile, { recursive: true, force: true, maxRetries: 5, retryDelay: 100 });
  }
}
