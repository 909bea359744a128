// What only the wire shows, over a whole suite: checksums of all that Linegate sends, and what the SIP side gets to see.
import { Capture } from '../harness/capture.js';
import { require } from './call.js';

const ours = { web: '(ip.src == 10.90.1.1 || ipv6.src == fd90:1::1)', sip: 'ip.src == 10.90.2.1' };
const secrets = /10\.90\.1\.|fd90:1:|\.invalid|^a=(ice|fingerprint|candidate|setup|ssrc|msid|extmap|rtcp-fb)|UDP\/TLS|SAVPF/m;

async function checksums(capture, where) {
  const sent = await capture.tshark(ours[where], ['frame.number']);
  require(sent.length > 0, `nothing of ours was seen in lg-${where}`);
  const wrong = await capture.tshark(`${ours[where]} && (ip.checksum.status == "Bad" || udp.checksum.status == "Bad" || udp.checksum == 0)`,
    ['frame.number', 'frame.protocols']);
  require(wrong.length === 0, `${wrong.length} of ${sent.length} packets with a wrong checksum, the first: ${wrong[0]}`);
}

async function onePort(capture) {
  const ports = new Set(await capture.tshark(`${ours.web} && udp && !icmp && !icmpv6`, ['udp.srcport']));
  ports.delete('3478');
  require(ports.size === 1, `browsers are served from UDP ports ${[...ports]}`);
}

function privateSide(capture) {
  for (const { from, payload } of capture.payloads()) {
    if (!from.startsWith('10.90.2.1:')) continue;
    const text = payload.toString('latin1');
    if (!/^[A-Z]+ sip:|^SIP\/2\.0 |^v=0/.test(text)) continue;
    const found = secrets.exec(text);
    require(!found, `"${found?.[0]}" is told to the SIP side in ${text.slice(0, 60).split('\r')[0]}`);
  }
}

function rtcpReports(capture) {
  const seen = { to: 0, from: 0 };
  for (const { protocol, from, to, payload } of capture.payloads()) {
    if (protocol !== 'udp' || payload.length < 8 || payload[0] >> 6 !== 2 || payload[1] < 200 || payload[1] > 201) continue;
    if (from.startsWith('10.90.2.1:') && to.startsWith('10.90.2.2:')) seen.to++;
    if (from.startsWith('10.90.2.2:') && to.startsWith('10.90.2.1:')) seen.from++;
  }
  require(seen.to > 0 && seen.from > 0, `RTCP reports on the SIP side: ${seen.to} sent, ${seen.from} received`);
}

// Starts capturing; the returned cases judge what was seen until then. `sip`: the suite has a SIP side; `relay`: media goes
// through TURN; `long`: it has a call of more than a few seconds.
export async function watchWire({ sip, relay, long }) {
  const web = await Capture.start('web', 'lgw0');
  const far = sip ? await Capture.start('sip', 'lgs0') : null;
  const stopped = async (capture) => { await capture.stop(); return capture; };
  const cases = [
    { name: 'checksums_web', title: 'every packet towards browsers has right checksums', limitMs: 60000,
      run: async () => checksums(await stopped(web), 'web') },
  ];
  if (!relay) cases.push({ name: 'one_port', title: 'browsers see one UDP port', limitMs: 60000, run: async () => onePort(await stopped(web)) });
  if (sip) {
    cases.push(
      { name: 'checksums_sip', title: 'every packet towards the SIP side has right checksums', limitMs: 60000,
        run: async () => checksums(await stopped(far), 'sip') },
      { name: 'private_side', title: 'no ICE, fingerprint or browser address on the SIP side', run: async () => privateSide(await stopped(far)) });
    // baresip sends its first report after five seconds.
    if (long) cases.push({ name: 'rtcp', title: 'RTCP reports pass both ways', run: async () => rtcpReports(await stopped(far)) });
  }
  const close = async () => {
    for (const capture of [web, far].filter(Boolean)) {
      await capture.stop();
      capture.remove();
    }
  };
  return { cases, close };
}
