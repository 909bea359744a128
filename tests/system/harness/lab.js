// The lab as the cases see it: up, the counts that linegatectl shows, the firewall of the browser's namespace.
import { execute, inNamespace, labScript, sleep, untilTrue } from './process.js';

export class Lab {
  // `counts: false`: another gateway runs in the lab, which linegatectl knows nothing about.
  constructor({ counts = true } = {}) { this.counts = counts; }

  static async up(args = []) {
    const { code, stderr } = await execute(labScript, ['up', ...args], { timeoutMs: 60000 });
    if (code !== 0) throw new Error(`lab.sh up ${args.join(' ')}: ${stderr.trim()}`);
  }

  static down() { return execute(labScript, ['down'], { timeoutMs: 30000 }); }

  async control(...args) {
    const { code, stdout, stderr } = await execute(labScript, ['ctl', ...args, '--json']);
    if (code !== 0) throw new Error(`linegatectl ${args.join(' ')}: ${(stderr || stdout).trim()}`);
    return JSON.parse(stdout);
  }

  async load() {
    if (!this.counts) return { calls: 0, legs: 0, flows: 0 };
    const { calls, legs, flows } = await this.control('status');
    return { calls, legs, flows };
  }

  // All packets dropped so far, whatever the reason.
  async drops() {
    const { packets } = await this.control('drops');
    return Object.values(packets).reduce((total, count) => total + count, 0);
  }

  // Resolves when the counts are back at `wanted`; the time it took in ms.
  async returnsTo(wanted, limitMs = 2000) {
    const start = Date.now();
    let last;
    do {
      last = await this.load();
      if (last.calls === wanted.calls && last.legs === wanted.legs && last.flows === wanted.flows) return Date.now() - start;
      await sleep(50);
    } while (Date.now() - start < limitMs);
    throw new Error(`after ${limitMs} ms still calls=${last.calls} legs=${last.legs} flows=${last.flows}, ` +
      `expected ${wanted.calls}/${wanted.legs}/${wanted.flows}`);
  }

  // Resolves when the TURN server holds no allocation.
  async withoutAllocations(limitMs = 2000) {
    await untilTrue('no allocation is left', limitMs, async () => (await this.control('turn')).allocations === 0);
  }

  // While `body` runs, the browser's namespace loses every UDP packet, or every IPv4 one.
  withoutUdp(body) { return this.#withoutPackets('meta l4proto udp', body); }
  withoutIpv4Udp(body) { return this.#withoutPackets('meta nfproto ipv4 meta l4proto udp', body); }

  async #withoutPackets(match, body) {
    const rules = 'add table inet lab; add chain inet lab in { type filter hook input priority 0; }; ' +
      'add chain inet lab out { type filter hook output priority 0; }; ' +
      `add rule inet lab in ${match} drop; add rule inet lab out ${match} drop`;
    const { code, stderr } = await inNamespace('web', 'nft', [rules]);
    if (code !== 0) throw new Error(`nft: ${stderr}`);
    try {
      return await body();
    } finally {
      await inNamespace('web', 'nft', ['delete table inet lab']);
    }
  }
}
