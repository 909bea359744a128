// Another host at the gateway's public side: a namespace of its own, joined to the lab's core by its own veth pair.
import fs from 'node:fs';
import os from 'node:os';
import path from 'node:path';
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { fileURLToPath } from 'node:url';
import { execute, namespaceOf } from './process.js';

const forwarder = path.join(path.dirname(fileURLToPath(import.meta.url)), 'tcp_forwarder.js');

async function run(...command) {
  const { code, stderr } = await execute(command[0], command.slice(1));
  if (code !== 0) throw new Error(`${command.join(' ')}: ${stderr.trim()}`);
}

export class OtherHost {
  static address = '10.90.3.2';

  static async up() {
    const host = new OtherHost();
    host.namespace = namespaceOf('relay');
    host.folder = fs.mkdtempSync(path.join(os.tmpdir(), 'linegate-relay-'));
    host.children = [];
    await execute('ip', ['netns', 'del', host.namespace]); // what a killed run left
    try {
      await run('ip', 'netns', 'add', host.namespace);
      const core = namespaceOf('core');
      await run('ip', 'link', 'add', 'lgr0', 'netns', host.namespace, 'type', 'veth', 'peer', 'name', 'lgr1', 'netns', core);
      for (const [namespace, device, last] of [[host.namespace, 'lgr0', 2], [core, 'lgr1', 1]]) {
        await run('ip', '-n', namespace, 'addr', 'add', `10.90.3.${last}/24`, 'dev', device);
        await run('ip', '-n', namespace, 'link', 'set', device, 'up');
      }
      await run('ip', '-n', host.namespace, 'route', 'add', 'default', 'via', '10.90.3.1');
    } catch (error) {
      await host.down();
      throw error;
    }
    return host;
  }

  // What connects to `port` of the browser's loopback reaches `target` (HOST:PORT) from this host's address.
  async forward(port, target) {
    const pipe = path.join(this.folder, String(port));
    await this.#start(this.namespace, pipe, target);
    await this.#start(namespaceOf('web'), `127.0.0.1:${port}`, pipe);
  }

  async #start(namespace, from, to) {
    const child = spawn('nsenter', [`--net=/run/netns/${namespace}`, '--', process.execPath, forwarder, from, to],
      { stdio: ['ignore', 'pipe', 'inherit'] });
    this.children.push(child);
    await Promise.race([once(child.stdout, 'data'), once(child, 'exit').then(() => { throw new Error(`no forwarder from ${from}`); })]);
  }

  async down() {
    this.children.forEach((child) => child.kill());
    fs.rmSync(this.folder, { recursive: true, force: true });
    await execute('ip', ['netns', 'del', this.namespace]);
  }
}
