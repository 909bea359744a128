// What runs inside the browser: one SIP user agent per page, driven from outside through window.phone.
// Every call keeps the list of what happened to it, so that the driver may ask for an event after the fact.
import JsSIP from 'jssip';

const calls = new Map();
let agent = null;
let socket = null;
let heldBack = null; // messages of the gateway that the page has not been given yet
let nextCall = 1;
const arrived = [];

const now = () => performance.now();
const fail = (text) => { throw new Error(text); };

async function until(what, limitMs, probe) {
  const deadline = now() + limitMs;
  for (;;) {
    const value = probe();
    if (value) return value;
    if (now() > deadline) fail(`${what}: not within ${limitMs} ms`);
    await new Promise((resolve) => setTimeout(resolve, 5));
  }
}

// Keeps only the named codecs in the first audio section; names as in rtpmap, without the clock rate.
function keepCodecs(sdp, names) {
  const wanted = names.map((name) => name.toLowerCase());
  const kept = new Set();
  const lines = sdp.split('\r\n');
  let inAudio = false;
  for (const line of lines) {
    if (line.startsWith('m=')) inAudio = line.startsWith('m=audio');
    const map = inAudio && /^a=rtpmap:(\d+) ([^/]+)/.exec(line);
    if (map && wanted.includes(map[2].toLowerCase())) kept.add(map[1]);
  }
  inAudio = false;
  return lines.filter((line) => {
    if (line.startsWith('m=')) inAudio = line.startsWith('m=audio');
    const format = inAudio && /^a=(?:rtpmap|fmtp|rtcp-fb):(\d+)/.exec(line);
    return !format || kept.has(format[1]);
  }).map((line) => line.replace(/^(m=audio \d+ \S+) (.*)$/, (_, head, list) =>
    `${head} ${list.split(' ').filter((format) => kept.has(format)).join(' ')}`)).join('\r\n');
}

const replaced = (sdp, list) => list.reduce((text, [from, to]) => text.replace(new RegExp(from, 'gm'), to), sdp);

// Replacements in what the browser itself is told to be its local description, not only in what is sent.
let localReplace = [];
const { setLocalDescription } = RTCPeerConnection.prototype;
RTCPeerConnection.prototype.setLocalDescription = function set(description, ...rest) {
  const changed = description && localReplace.length > 0 ? { type: description.type, sdp: replaced(description.sdp, localReplace) } : description;
  return setLocalDescription.call(this, changed, ...rest);
};

function watch(session, options = {}) {
  const id = nextCall++;
  const call = { session, id, start: now(), events: [], sdp: [], audio: new Audio(), dtmf: '' };
  calls.set(id, call);
  call.audio.autoplay = true;
  const note = (name, data = {}) => call.events.push({
    name, ms: Math.round(now() - call.start), cause: data.cause, originator: data.originator,
    code: data.message?.status_code ?? data.response?.status_code, reason: data.message?.reason_phrase });
  for (const name of ['sending', 'connecting', 'progress', 'accepted', 'confirmed', 'ended', 'failed', 'hold', 'unhold',
    'muted', 'update', 'reinvite', 'getusermediafailed', 'peerconnection:setremotedescriptionfailed']) {
    session.on(name, (data) => note(name, data));
  }
  session.on('newDTMF', (data) => { if (data.originator === 'remote') call.dtmf += data.dtmf.tone; });
  session.on('newInfo', (data) => note(`info ${data.originator}`));
  session.on('sdp', (event) => {
    if (event.originator === 'local' && options.codecs) event.sdp = keepCodecs(event.sdp, options.codecs);
    if (event.originator === 'local' && options.replace) {
      event.sdp = replaced(event.sdp, options.replace);
    }
    call.sdp.push({ originator: event.originator, type: event.type, sdp: event.sdp });
  });
  // The stream has to hang on an element before the answer, or its energy is never computed.
  const listen = (connection) => {
    connection.addEventListener('track', (event) => {
      if (event.track.kind === 'audio') call.audio.srcObject = event.streams[0] ?? new MediaStream([event.track]);
    });
    connection.addEventListener('connectionstatechange', () => note(`media ${connection.connectionState}`));
    connection.addEventListener('iceconnectionstatechange', () => note(`ice ${connection.iceConnectionState}`));
  };
  if (session.connection) listen(session.connection);
  else session.on('peerconnection', (event) => listen(event.peerconnection));
  return id;
}

const mediaOptions = (options) => ({
  mediaConstraints: {
    audio: { echoCancellation: false, noiseSuppression: false, autoGainControl: false, channelCount: 1 },
    video: options.video ?? false,
  },
  pcConfig: { iceServers: options.iceServers ?? [], iceTransportPolicy: options.iceTransportPolicy ?? 'all' },
});

// The first getUserMedia of a browser starts its audio service, which can take seconds on a busy machine.
const warmUp = navigator.mediaDevices.getUserMedia({ audio: true }).then((stream) =>
  stream.getTracks().forEach((track) => track.stop()));

async function changeHold(session, method) {
  await until(`ready for ${method}`, 2000, () => session.isReadyToReOffer());
  await new Promise((resolve, reject) => {
    setTimeout(reject, 3000, new Error(`${method} is not answered`));
    if (!session[method]({}, resolve)) reject(new Error(`${method} is refused by JsSIP`));
  });
}

const call = (id) => calls.get(id) ?? fail(`no call ${id}`);

window.phone = {
  ready: () => warmUp,
  // Connects and, unless told not to, registers. Resolves with the set-up times.
  async start({ wss, user, domain, password, register = true, options = {} }) {
    if (agent) { agent.stop(); agent = null; }
    const start = now();
    const times = {};
    socket = new JsSIP.WebSocketInterface(wss);
    agent = new JsSIP.UA({
      sockets: [socket], uri: `sip:${user}@${domain}`, password, register, ...options });
    agent.on('newRTCSession', (data) => {
      if (data.originator === 'remote') arrived.push(watch(data.session, window.phone.answerOptions));
    });
    agent.on('newMessage', (data) => { if (data.originator === 'remote') window.phone.messages.push(data.request.body); });
    let failure = null;
    agent.on('connected', () => { times.wss_ms ??= Math.round(now() - start); });
    agent.on('disconnected', (data) => { failure = `disconnected ${data.code ?? ''} ${data.reason ?? ''}`; });
    agent.on('registered', () => { times.registered_ms ??= Math.round(now() - start); });
    agent.on('registrationFailed', (data) => { failure = `registration failed: ${data.cause} ${data.response?.status_code ?? ''}`; });
    agent.start();
    await until('registered', 6000, () => failure || (register ? times.registered_ms : times.wss_ms) !== undefined);
    if (failure) {
      const reason = failure.trim(); // stop() disconnects, which is not the failure
      agent.stop();
      agent = null;
      fail(reason);
    }
    return times;
  },
  async stop() {
    if (!agent) return;
    // JsSIP keeps the connection two seconds longer than the answer to its REGISTER: the page's end closes it.
    const unregistered = new Promise((resolve) => { agent.on('unregistered', resolve); });
    const wasRegistered = agent.isRegistered();
    agent.stop();
    if (wasRegistered) await Promise.race([unregistered, new Promise((resolve) => { setTimeout(resolve, 2000); })]);
    agent = null;
  },
  isRegistered: () => agent?.isRegistered() ?? false,
  messages: [],
  lastMessage: () => window.phone.messages.at(-1),
  answerOptions: {},
  call(target, options = {}) {
    let id = 0;
    const take = (data) => { if (data.originator === 'local') id = watch(data.session, options); };
    agent.once('newRTCSession', take);
    agent.call(target, { ...mediaOptions(options), ...(options.session ?? {}) });
    return id;
  },
  async incoming(limitMs = 5000) {
    await until('an incoming call', limitMs, () => arrived.length > 0);
    return arrived.shift();
  },
  pending: () => arrived.length,
  answer(id, options = {}) {
    const one = call(id);
    one.start = now();
    one.session.answer(mediaOptions(options));
  },
  hangup(id, options) {
    const { session } = call(id);
    if (!session.isEnded()) session.terminate(options);
  },
  // Both resolve when the re-INVITE is answered; JsSIP refuses one while another is under way.
  hold: (id) => changeHold(call(id).session, 'hold'),
  unhold: (id) => changeHold(call(id).session, 'unhold'),
  held: (id) => call(id).session.isOnHold(),
  dtmf: (id, tones, transport) => call(id).session.sendDTMF(tones, { transportType: transport, duration: 100, interToneGap: 100 }),
  async digits(id, wanted, limitMs = 3000) {
    await until(`digits ${wanted} (so far: ${call(id).dtmf})`, limitMs, () => call(id).dtmf === wanted);
  },
  send(id, method, options = {}) {
    const one = call(id);
    const name = `answer to ${method}`;
    one.session.sendRequest(method, { ...options, eventHandlers: {
      onSuccessResponse: (response) => one.events.push({ name, ms: Math.round(now() - one.start), code: response.status_code }),
      onErrorResponse: (response) => one.events.push({ name, ms: Math.round(now() - one.start), code: response.status_code }),
    } });
  },
  renegotiate: (id, useUpdate) => new Promise((resolve) => { call(id).session.renegotiate({ useUpdate }, resolve); }),
  // A re-INVITE with the description in force, beside the session's own state: JsSIP's dialog sends and repeats it.
  reinvite(id) {
    const one = call(id);
    const { session } = one;
    session.sendRequest('INVITE', {
      body: session.connection.localDescription.sdp,
      extraHeaders: [`Contact: ${session.contact}`, 'Content-Type: application/sdp'],
      eventHandlers: {
        onSuccessResponse: (response) => {
          session.sendRequest('ACK');
          one.events.push({ name: 'reinvite answered', ms: Math.round(now() - one.start), code: response.status_code });
        },
        onErrorResponse: (response) => one.events.push({ name: 'reinvite refused', code: response.status_code }),
      } });
  },
  // From now on what the gateway sends waits; `release` hands over the first `count` messages (default all, and no more
  // waiting) and tells their first lines.
  holdBack() {
    if (heldBack) return;
    heldBack = [];
    const take = socket.ondata;
    socket.ondata = (data) => { if (heldBack) heldBack.push(data); else take(data); };
    socket.handOver = take;
  },
  async heldBack(count, limitMs = 2000) {
    await until(`${count} messages held back`, limitMs, () => heldBack.length >= count);
    return heldBack.map((data) => String(data).split('\r\n')[0]);
  },
  release(count = Infinity) {
    const some = heldBack.splice(0, count);
    if (count === Infinity) heldBack = null;
    some.forEach((data) => socket.handOver(data));
    return some.map((data) => String(data).split('\r\n')[0]);
  },
  setLocalReplace(list) { localReplace = list; },
  // Waits for an event of this call; an unexpected end of the call is an error at once.
  async event(id, name, limitMs = 5000) {
    const one = call(id);
    const ends = ['failed', 'ended'];
    const found = await until(`${name} of call ${id} (so far: ${one.events.map((e) => e.name)})`, limitMs, () =>
      one.events.find((event) => event.name === name || (ends.includes(event.name) && !ends.includes(name))));
    if (found.name !== name) fail(`${name} expected, but the call ${found.name}: ${found.cause} ${found.code ?? ''} by ${found.originator}`);
    return found;
  },
  events: (id) => call(id).events,
  forget(id, name) { const one = call(id); one.events = one.events.filter((event) => event.name !== name); },
  sdp: (id) => call(id).sdp,
  async stats(id) {
    const connection = call(id).session.connection;
    const reports = new Map();
    (await connection.getStats()).forEach((report) => reports.set(report.id, report));
    const all = [...reports.values()];
    const audio = (type) => all.find((report) => report.type === type && report.kind === 'audio') ?? {};
    const inbound = audio('inbound-rtp');
    const outbound = audio('outbound-rtp');
    const transport = all.find((report) => report.type === 'transport') ?? {};
    const pair = reports.get(transport.selectedCandidatePairId) ?? {};
    const local = reports.get(pair.localCandidateId);
    const codec = (report) => { const c = reports.get(report.codecId); return c && `${c.mimeType.replace(/^audio\//, '')}`; };
    return {
      at_ms: inbound.timestamp ?? outbound.timestamp ?? now(),
      received: inbound.packetsReceived ?? 0, lost: inbound.packetsLost ?? 0, jitter: inbound.jitter,
      energy: inbound.totalAudioEnergy ?? 0, discarded: inbound.packetsDiscarded ?? 0,
      sent: outbound.packetsSent ?? 0, codec: codec(inbound) ?? codec(outbound), send_codec: codec(outbound),
      remote_lost: audio('remote-inbound-rtp').packetsLost, rtt: audio('remote-inbound-rtp').roundTripTime,
      dtls: transport.dtlsState, srtp: transport.srtpCipher, role: transport.dtlsRole,
      local: local?.address, local_type: local?.candidateType, relay_protocol: local?.relayProtocol, remote: reports.get(pair.remoteCandidateId)?.address,
      remote_port: reports.get(pair.remoteCandidateId)?.port,
      sections: connection.getTransceivers().map((t) => `${t.receiver.track.kind} ${t.currentDirection}`),
    };
  },
  // Everything still alive on this page, ended; for the clean-up after a case that went wrong.
  endAll() {
    for (const one of calls.values()) {
      try { if (!one.session.isEnded()) one.session.terminate(); } catch { /* already going down */ }
    }
    arrived.length = 0;
  },
};
