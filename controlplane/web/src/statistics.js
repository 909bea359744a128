// What the browser knows about the media of a call, once a second; and how loud both directions are.

const suiteNames = new Map([['AES_CM_128_HMAC_SHA1_80', 'AES-CM 128'], ['AEAD_AES_128_GCM', 'AES-GCM 128'], ['AEAD_AES_256_GCM', 'AES-GCM 256']]);

export async function readStatistics(connection) {
  const reports = new Map();
  (await connection.getStats()).forEach((report) => reports.set(report.id, report));
  const all = [...reports.values()];
  const find = (type) => all.find((report) => report.type === type && (report.kind ?? 'audio') === 'audio');
  const inbound = find('inbound-rtp');
  const remote = find('remote-inbound-rtp');
  const transport = find('transport');
  // Firefox has no transport report: the pair in use is the nominated one.
  const pair = reports.get(transport?.selectedCandidatePairId) ?? all.find((r) => r.type === 'candidate-pair' && r.nominated && r.state === 'succeeded');
  const far = reports.get(pair?.remoteCandidateId);
  const near = reports.get(pair?.localCandidateId);
  const received = inbound?.packetsReceived ?? 0;
  const lost = Math.max(0, inbound?.packetsLost ?? 0);
  const suite = transport?.srtpCipher?.replace(/^SRTP_/, '');
  return {
    received, lost, lossPercent: received + lost > 0 ? (100 * lost) / (received + lost) : null,
    jitterMs: inbound?.jitter === undefined ? null : inbound.jitter * 1000,
    rttMs: (remote?.roundTripTime ?? pair?.currentRoundTripTime) === undefined ? null : (remote?.roundTripTime ?? pair.currentRoundTripTime) * 1000,
    codec: reports.get(inbound?.codecId)?.mimeType?.replace(/^audio\//, '') ?? null,
    suite: suite ? suiteNames.get(suite) ?? suite : null,
    path: far ? `${far.address?.includes(':') ? `[${far.address}]` : far.address}:${far.port}${
      near?.candidateType === 'relay' ? `, relayed (${near.relayProtocol ?? 'udp'})` : ''}` : null };
}

// Loudness of a stream between 0 and 1, on a scale of decibels so that speech fills the meter.
export class LevelMeter {
  constructor(context, stream) {
    this.source = context.createMediaStreamSource(stream);
    this.analyser = context.createAnalyser();
    this.analyser.fftSize = 1024;
    this.samples = new Float32Array(this.analyser.fftSize);
    this.source.connect(this.analyser);
  }

  level() {
    this.analyser.getFloatTimeDomainData(this.samples);
    const power = this.samples.reduce((sum, sample) => sum + sample * sample, 0) / this.samples.length;
    const decibels = 10 * Math.log10(power + 1e-9);
    return Math.min(1, Math.max(0, (decibels + 60) / 60));
  }

  close() { this.source.disconnect(); }
}
