// Packets seen in one of the lab's namespaces, for what no client records: tcpdump writes, this reads.
import fs from 'node:fs';
import os from 'node:os';
import path from 'node:path';
import { once } from 'node:events';
import { execute, spawnInNamespace, untilTrue } from './process.js';

export class Capture {
  static async start(where, device, filter = '') {
    const file = path.join(fs.mkdtempSync(path.join(os.tmpdir(), 'linegate-capture-')), `${where}.pcap`);
    const child = spawnInNamespace(where, 'tcpdump', ['-i', device, '-n', '-U', '--immediate-mode', '-s', '0', '-w', file, ...filter.split(' ').filter(Boolean)],
      { stdio: ['ignore', 'ignore', 'ignore'] });
    await untilTrue('tcpdump', 3000, () => fs.existsSync(file) && fs.statSync(file).size >= 24, 10);
    return new Capture(file, child);
  }

  constructor(file, child) { Object.assign(this, { file, child }); }

  async stop() {
    if (this.child.exitCode === null) {
      const gone = once(this.child, 'exit');
      this.child.kill('SIGINT');
      await gone;
    }
    return this;
  }

  remove() { fs.rmSync(path.dirname(this.file), { recursive: true, force: true }); }

  // Lines that tshark prints for a display filter; checksums are verified, ports are left to tshark's guess.
  async tshark(filter, fields) {
    const { code, stdout, stderr } = await execute('tshark', ['-r', this.file, '-o', 'ip.check_checksum:TRUE',
      '-o', 'udp.check_checksum:TRUE', '-Y', filter, '-T', 'fields', ...fields.flatMap((field) => ['-e', field])], { timeoutMs: 60000 });
    if (code !== 0) throw new Error(`tshark: ${stderr}`);
    return stdout.split('\n').filter(Boolean);
  }

  // UDP and TCP payloads over IPv4 in order: { at, protocol, from, to, payload }, addresses as "ADDRESS:PORT".
  *payloads() {
    const data = fs.readFileSync(this.file);
    for (let at = 24; at + 16 <= data.length;) {
      const length = data.readUInt32LE(at + 8);
      const frame = data.subarray(at + 16, at + 16 + length);
      const seconds = data.readUInt32LE(at) + data.readUInt32LE(at + 4) / 1e6;
      at += 16 + length;
      if (frame.length < 34 || frame.readUInt16BE(12) !== 0x0800) continue;
      const ip = frame.subarray(14, 14 + frame.readUInt16BE(16));
      const header = (ip[0] & 15) * 4;
      const transport = ip.subarray(header);
      if (transport.length < 8 || (ip[9] !== 17 && ip[9] !== 6)) continue;
      const skip = ip[9] === 17 ? 8 : (transport[12] >> 4) * 4;
      const end = (offset, port) => `${[...ip.subarray(offset, offset + 4)].join('.')}:${transport.readUInt16BE(port)}`;
      yield { at: seconds, protocol: ip[9] === 17 ? 'udp' : 'tcp', from: end(12, 0), to: end(16, 2), payload: transport.subarray(skip) };
    }
  }

  // RTP streams towards `address`, in order of their first packet: { to, ssrc, first, packets: [{ at, type, payload }] }.
  rtpStreams(address) {
    const streams = new Map();
    for (const { at, protocol, to, payload } of this.payloads()) {
      if (protocol !== 'udp' || !to.startsWith(`${address}:`) || payload.length < 12 || payload[0] >> 6 !== 2) continue;
      const type = payload[1] & 127;
      if (type >= 64 && type < 96) continue; // RTCP
      const key = `${to} ${payload.readUInt32BE(8)}`;
      if (!streams.has(key)) streams.set(key, { to, ssrc: payload.readUInt32BE(8), first: at, packets: [] });
      streams.get(key).packets.push({ at, type, sequence: payload.readUInt16BE(2), payload: payload.subarray(12 + (payload[0] & 15) * 4) });
    }
    return [...streams.values()].sort((a, b) => a.first - b.first);
  }
}

const muLaw = (byte) => {
  const value = ~byte & 0xff;
  const magnitude = (((value & 0x0f) << 3) + 0x84 << ((value & 0x70) >> 4)) - 0x84;
  return value & 0x80 ? -magnitude : magnitude;
};

// The sound of one PCMU stream as a wave, from `since` (seconds) on.
export function soundOf(stream, since = 0) {
  const parts = stream.packets.filter((packet) => packet.type === 0 && packet.at >= since).map((packet) => packet.payload);
  return { rate: 8000, samples: Int16Array.from(Buffer.concat(parts), muLaw) };
}
