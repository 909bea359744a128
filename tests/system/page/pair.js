// One end of a call between two pages, driven from outside through window.pair: no SIP, the driver carries descriptions.
(() => {
  let connection = null;
  const audio = new Audio();
  audio.autoplay = true;

  const until = async (what, limitMs, probe) => {
    const deadline = performance.now() + limitMs;
    for (;;) {
      if (probe()) return;
      if (performance.now() > deadline) throw new Error(`${what}: not within ${limitMs} ms`);
      await new Promise((resolve) => { setTimeout(resolve, 10); });
    }
  };
  const gathered = async (description) => {
    await connection.setLocalDescription(description);
    await until('candidates', 8000, () => connection.iceGatheringState === 'complete');
    return connection.localDescription.toJSON();
  };

  window.pair = {
    async open(configuration) {
      const stream = await navigator.mediaDevices.getUserMedia({ audio: true });
      connection = new RTCPeerConnection(configuration);
      connection.addEventListener('track', ({ streams }) => { audio.srcObject = streams[0]; });
      for (const track of stream.getTracks()) connection.addTrack(track, stream);
    },
    offer: async () => gathered(await connection.createOffer()),
    async answer(offer) {
      await connection.setRemoteDescription(offer);
      return gathered(await connection.createAnswer());
    },
    accept: (answer) => connection.setRemoteDescription(answer),
    connected: (limitMs) => until(`connected (now ${connection.connectionState})`, limitMs, () => connection.connectionState === 'connected'),
    close: () => connection.close(),
    async stats() {
      const reports = [...(await connection.getStats()).values()];
      const find = (type) => reports.find((report) => report.type === type && (report.kind ?? 'audio') === 'audio') ?? {};
      const [inbound, outbound, transport] = [find('inbound-rtp'), find('outbound-rtp'), find('transport')];
      const pair = reports.find((report) => report.id === transport.selectedCandidatePairId) ?? {};
      const candidate = (id) => reports.find((report) => report.id === id) ?? {};
      const [local, remote] = [candidate(pair.localCandidateId), candidate(pair.remoteCandidateId)];
      return {
        at_ms: inbound.timestamp ?? performance.now(), received: inbound.packetsReceived ?? 0, lost: inbound.packetsLost ?? 0,
        energy: inbound.totalAudioEnergy ?? 0, sent: outbound.packetsSent ?? 0, local: local.candidateType, remote: remote.candidateType,
        reflexive: reports.filter((report) => report.type === 'local-candidate' && report.candidateType === 'srflx').length,
        relay_protocol: local.relayProtocol, local_address: `${local.address}:${local.port}`, remote_address: `${remote.address}:${remote.port}` };
    },
  };
})();
