// The SIP side of the page: one user agent, one call at a time. Knows nothing of the DOM; tells by events:
//   state { state: off|busy|on|bad, text }    problem (see explain.js) | null
//   call  { phase: calling|ringing|incoming|connecting|up|held|over, peer, direction }     media { stream }
import JsSIP from 'jssip';
import * as explain from './explain.js';

const audioOnly = { audio: true, video: false };
const noPathHintMs = 5000;

export class Agent extends EventTarget {
  #agent = null;
  #session = null;
  #wasConnected = false;

  constructor(settings) {
    super();
    this.settings = settings;
    this.network = async () => ({ iceServers: settings.iceServers }); // how the next call may reach the gateway; null: no way
  }

  get session() { return this.#session; }
  get connection() { return this.#session?.connection ?? null; }

  #tell(type, detail) { this.dispatchEvent(new CustomEvent(type, { detail })); }

  signIn({ user, password, domain }) {
    this.#agent?.stop();
    this.domain = domain;
    this.#wasConnected = false;
    const agent = new JsSIP.UA({
      sockets: [new JsSIP.WebSocketInterface(this.settings.wss)], uri: `sip:${user}@${domain}`, password,
      user_agent: 'Linegate page', connection_recovery_max_interval: 10 });
    this.#agent = agent;
    const current = (handler) => (data) => { if (this.#agent === agent) handler(data); };
    agent.on('connected', current(() => {
      this.#wasConnected = true;
      this.#tell('state', { state: 'busy', text: 'Signing in' });
      this.#tell('problem', null);
    }));
    agent.on('disconnected', current(() => {
      this.#tell('state', { state: 'bad', text: 'Gateway not reached, trying again' });
      this.#tell('problem', explain.connectionProblem(this.settings.wss, this.#wasConnected));
    }));
    agent.on('registered', current(() => this.#tell('state', { state: 'on', text: `Signed in as ${user}` })));
    agent.on('registrationFailed', current(({ cause, response }) => {
      if (!agent.isConnected()) return; // 'disconnected' has told it already
      this.signOut();
      this.#tell('state', { state: 'bad', text: 'Not signed in' });
      this.#tell('problem', explain.registrationProblem(cause, response?.status_code));
    }));
    agent.on('newRTCSession', current(({ originator, session }) => {
      if (originator === 'remote') this.#incoming(session);
    }));
    this.#tell('state', { state: 'busy', text: 'Connecting' });
    agent.start();
  }

  signOut() {
    const agent = this.#agent;
    this.#agent = null;
    agent?.stop();
    this.#tell('state', { state: 'off', text: 'Not signed in' });
  }

  // The microphone is asked for first, so that a refusal is told from every other failure.
  async call(target) {
    if (this.#session || !this.#agent) return;
    const pcConfig = await this.#network();
    if (!pcConfig) return;
    const stream = await this.#microphone();
    if (!stream || this.#session || !this.#agent) { stream?.getTracks().forEach((track) => track.stop()); return; }
    this.#tell('problem', null);
    const uri = target.includes('@') ? (/^sips?:/.test(target) ? target : `sip:${target}`) : `sip:${encodeURIComponent(target)}@${this.domain}`;
    this.#agent.once('newRTCSession', ({ session }) => this.#watch(session, target, 'calling', stream));
    try {
      this.#agent.call(uri, { mediaStream: stream, pcConfig });
    } catch {
      stream.getTracks().forEach((track) => track.stop());
      this.#tell('problem', { title: 'No call', text: `“${target}” is no number or address.`, steps: [] });
    }
  }

  async answer() {
    const session = this.#session;
    const pcConfig = await this.#network();
    if (!pcConfig) return;
    const stream = await this.#microphone();
    if (!stream) return;
    if (this.#session !== session || !session) { stream.getTracks().forEach((track) => track.stop()); return; }
    this.stream = stream;
    this.#tell('local', stream);
    session.answer({ mediaStream: stream, mediaConstraints: audioOnly, pcConfig });
  }

  hangUp() { if (this.#session && !this.#session.isEnded()) this.#session.terminate(); }
  setHeld(held) { return held ? this.#session?.hold() : this.#session?.unhold(); }
  setMuted(muted) { if (muted) this.#session?.mute({ audio: true }); else this.#session?.unmute({ audio: true }); }
  // RFC 4733 events inside the media, not INFO requests.
  sendDigit(digit) { this.#session?.sendDTMF(digit, { transportType: 'RFC2833', duration: 120, interToneGap: 70 }); }

  // JsSIP hides what the browser says of a configuration, so that is tried here.
  async #network() {
    const pcConfig = await this.network();
    try {
      if (pcConfig) new RTCPeerConnection(pcConfig).close();
      else this.#tell('problem', explain.noRelayProblem);
      return pcConfig;
    } catch (error) {
      this.#tell('problem', explain.badRelayProblem(error));
      return null;
    }
  }

  async #microphone() {
    try {
      return await navigator.mediaDevices.getUserMedia(audioOnly);
    } catch (error) {
      this.#tell('problem', explain.microphoneProblem(error));
      return null;
    }
  }

  #incoming(session) {
    if (this.#session) {
      session.terminate({ status_code: 486 });
      return;
    }
    const { display_name: name, uri } = session.remote_identity;
    this.#watch(session, name || uri.user || uri.toString(), 'incoming', null);
  }

  #watch(session, peer, phase, stream) {
    this.#session = session;
    this.stream = stream;
    const tell = (next) => { if (this.#session === session) this.#tell('call', { phase: next, peer }); };
    const over = (data) => {
      if (this.#session !== session) return;
      this.#session = null;
      this.stream?.getTracks().forEach((track) => track.stop());
      this.#tell('call', { phase: 'over', peer });
      const code = data.message?.status_code;
      const problem = explain.callProblem({ cause: data.cause, code, originator: data.originator });
      if (problem && data.cause !== 'User Denied Media Access' && !(data.cause === 'Terminated')) this.#tell('problem', problem);
    };
    session.on('progress', ({ originator }) => { if (originator === 'remote') tell('ringing'); });
    session.on('accepted', () => tell('connecting'));
    session.on('hold', () => tell('held'));
    session.on('unhold', () => tell(session.isOnHold().local || session.isOnHold().remote ? 'held' : 'up'));
    session.on('ended', over);
    session.on('failed', over);
    if (session.connection) this.#watchMedia(session, session.connection, tell);
    else session.on('peerconnection', ({ peerconnection }) => this.#watchMedia(session, peerconnection, tell));
    tell(phase);
    if (stream) this.#tell('local', stream);
  }

  #watchMedia(session, connection, tell) {
    const noPath = (final) => {
      if (this.#session === session) this.#tell('problem', explain.noPathProblem(connection.remoteDescription?.sdp, final));
    };
    let hint = 0;
    this.#watchRelay(session, connection);
    connection.addEventListener('track', ({ track, streams }) => {
      if (track.kind === 'audio') this.#tell('media', { stream: streams[0] ?? new MediaStream([track]) });
    });
    connection.addEventListener('iceconnectionstatechange', () => {
      clearTimeout(hint);
      const state = connection.iceConnectionState;
      if (state === 'checking') hint = setTimeout(noPath, noPathHintMs, false);
      if (state === 'failed') noPath(true);
      if (state === 'connected' || state === 'completed') this.#tell('problem', null);
    });
    connection.addEventListener('connectionstatechange', () => { if (connection.connectionState === 'connected') tell('up'); });
    session.on('ended', () => clearTimeout(hint));
    session.on('failed', () => clearTimeout(hint));
  }

  // With relay only, a call without a relayed address would be signalled and never be heard.
  #watchRelay(session, connection) {
    if (connection.getConfiguration().iceTransportPolicy !== 'relay') return;
    const failures = [];
    let relayed = false;
    const urls = connection.getConfiguration().iceServers.flatMap((server) => server.urls);
    const hint = setTimeout(() => {
      if (!relayed && this.#session === session) this.#tell('problem', explain.slowRelayProblem(urls));
    }, noPathHintMs);
    session.on('failed', () => clearTimeout(hint));
    connection.addEventListener('icecandidateerror', ({ url, errorCode: code, errorText: text }) => failures.push({ url, code, text }));
    connection.addEventListener('icecandidate', ({ candidate }) => {
      if (candidate?.candidate) relayed = true;
      if (candidate || relayed || this.#session !== session) return;
      clearTimeout(hint);
      this.hangUp();
      this.#tell('problem', explain.noRelayedAddressProblem(failures));
    });
  }
}
