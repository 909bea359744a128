// Measuring a call, with the criteria that every call of the lab has to meet.
import { Baresip } from './baresip.js';
import { hearsBeeps, readWav } from './beep.js';
import { soundOf } from './capture.js';
import { sleep, untilTrue } from './process.js';

export const minimumRate = 45; // packets per second each way; a call sends 50

// Watches a connected call for `seconds`. Throws when it misses a criterion, else returns what the table shows.
// silent: 'in' when the far end plays nothing (energy is then not asked for).
export async function measure(call, { seconds = 3, silent = '' } = {}) {
  const first = await call.stats();
  await sleep(seconds * 1000);
  const last = await call.stats();
  const elapsed = (last.at_ms - first.at_ms) / 1000;
  const result = {
    sent_pps: (last.sent - first.sent) / elapsed, received_pps: (last.received - first.received) / elapsed,
    sent: last.sent, received: last.received, lost: last.lost, codec: last.codec, srtp: last.srtp,
    energy: last.energy - first.energy, local: last.local, remote: last.remote };
  const misses = [];
  if (result.sent_pps < minimumRate) misses.push(`sends only ${result.sent_pps.toFixed(1)} packets/s`);
  if (result.received_pps < minimumRate) misses.push(`receives only ${result.received_pps.toFixed(1)} packets/s`);
  if (result.lost !== 0) misses.push(`packetsLost ${result.lost}`);
  if (silent !== 'in' && !(result.energy > 0)) misses.push('totalAudioEnergy does not rise');
  if (!result.srtp) misses.push('no SRTP suite');
  if (misses.length > 0) throw new Error(`${call.phone.name}: ${misses.join(', ')} (${JSON.stringify(last)})`);
  return result;
}

// Set-up times of a call that this side placed or answered, in ms from call() or answer().
export async function setupTimes(call) {
  const events = await call.do('events');
  const at = (name) => events.find((event) => event.name === name)?.ms;
  return { progress_ms: at('progress'), accepted_ms: at('accepted') ?? at('confirmed'), media_ms: at('media connected') };
}

// The browser's beep in the newest recording that baresip began since `since` (ms), or in the oldest (`first`).
export async function beepsAtBaresip(since, seconds, { first = false } = {}) {
  const file = await untilTrue('a recording of baresip', 1000, () => Baresip.recordings(since).at(first ? 0 : -1));
  const found = hearsBeeps(readWav(file), seconds);
  if (!found.heard) throw new Error(`the browser's beep is not in ${file}: ${JSON.stringify(found)}`);
  return found;
}

// The same in what reaches the SIP side after a hold: baresip 1.0 drops its recorder at the first re-INVITE.
export async function beepsOnTheWire(capture, since, seconds) {
  await capture.stop();
  const stream = capture.rtpStreams('10.90.2.2').filter((one) => one.packets.at(-1).at >= since + seconds - 1).at(-1);
  if (!stream) throw new Error('no RTP reaches baresip after the hold');
  const found = hearsBeeps(soundOf(stream, since), seconds);
  if (!found.heard) throw new Error(`the browser's beep does not reach baresip after the hold: ${JSON.stringify(found)}`);
  return found;
}
