// baresip, users 1003 to 1005 in lg-sip: commands and events over its ctrl_tcp module, and what it recorded.
import fs from 'node:fs';
import path from 'node:path';
import { connectInNamespace, runDirectory, untilTrue } from './process.js';

const recordings = path.join(runDirectory, 'recordings');

export class Baresip {
  // Netstrings with JSON inside go both ways.
  static async connect(address = '10.90.2.2', port = 4444) {
    const self = new Baresip(connectInNamespace('sip', port, address));
    await self.command('about');
    return self;
  }

  constructor(child) {
    this.child = child;
    this.buffer = Buffer.alloc(0);
    this.events = [];
    this.replies = [];
    child.stdout.on('data', (data) => this.#take(data));
    child.on('exit', () => { this.gone = true; for (const reply of this.replies.splice(0)) reply(null); });
  }

  #take(data) {
    this.buffer = Buffer.concat([this.buffer, data]);
    for (;;) {
      const colon = this.buffer.indexOf(':');
      if (colon < 0) return;
      const length = Number(this.buffer.subarray(0, colon).toString());
      if (this.buffer.length < colon + length + 2) return;
      const message = JSON.parse(this.buffer.subarray(colon + 1, colon + 1 + length).toString());
      this.buffer = this.buffer.subarray(colon + length + 2);
      if (message.response) this.replies.shift()?.(message);
      else this.events.push({ ...message, at: Date.now() });
    }
  }

  async command(command, params) {
    if (this.gone) throw new Error('baresip does not listen on its control port');
    const text = JSON.stringify(params === undefined ? { command } : { command, params });
    const reply = new Promise((resolve) => { this.replies.push(resolve); });
    this.child.stdin.write(`${Buffer.byteLength(text)}:${text},`);
    const message = await Promise.race([reply, new Promise((resolve) => { setTimeout(resolve, 3000, null); })]);
    if (!message) throw new Error(`baresip does not answer to ${command}`);
    return message;
  }

  // Calls TARGET as USER; which user is the current one otherwise depends on who was called last.
  async dial(target, user = '1003') {
    await this.command('uafind', `sip:${user}@lab.example`);
    return this.command('dial', `sip:${target}@lab.example`);
  }

  // Everything that happens from here on, in order; `next` waits for the first event of that type (and removes it).
  async next(type, limitMs = 5000, match = () => true) {
    return untilTrue(`baresip: ${type}`, limitMs, () => {
      const index = this.events.findIndex((event) => event.type === type && match(event));
      return index < 0 ? null : this.events.splice(index, 1)[0];
    }, 10);
  }

  forgetEvents() { this.events.length = 0; }

  // The recordings of what baresip heard, begun since `since` (ms), newest last.
  static recordings(since = 0) {
    if (!fs.existsSync(recordings)) return [];
    return fs.readdirSync(recordings).filter((name) => name.endsWith('-dec.wav')).map((name) => path.join(recordings, name))
      .map((file) => ({ file, born: fs.statSync(file).birthtimeMs }))
      .filter(({ born }) => born >= since).sort((a, b) => a.born - b.born).map(({ file }) => file);
  }

  close() { this.child.kill(); }
}
