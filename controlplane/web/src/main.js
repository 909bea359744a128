// Wires the page to the agent: nothing but the DOM happens here.
import { Agent } from './agent.js';
import { mediaLostProblem, missingPrerequisite } from './explain.js';
import { loadSettings, networkConfig, rememberedUser, rememberUser, renewCredentials } from './settings.js';
import { LevelMeter, readStatistics } from './statistics.js';

const element = (id) => document.getElementById(id);
const show = (id, visible) => { element(id).hidden = !visible; };
const mediaLostAfterS = 5;

const phaseWords = {
  calling: 'Calling', ringing: 'Ringing', incoming: 'Calls you', connecting: 'Connecting the sound', up: 'Connected', held: 'On hold' };

function showProblem(problem) {
  show('problem', problem !== null);
  if (!problem) return;
  element('problem-title').textContent = problem.title;
  element('problem-text').textContent = problem.text;
  element('problem-steps').replaceChildren(...problem.steps.map((step) => {
    const item = document.createElement('li');
    item.textContent = step;
    return item;
  }));
}

class CallView {
  #timers = [];
  #meters = {};

  constructor(agent) {
    this.agent = agent;
    element('answer').onclick = () => agent.answer();
    element('hang-up').onclick = () => agent.hangUp();
    element('hold').onclick = () => agent.setHeld(element('hold').ariaPressed !== 'true');
    element('mute').onclick = () => {
      const muted = element('mute').ariaPressed !== 'true';
      agent.setMuted(muted);
      element('mute').ariaPressed = String(muted);
    };
    for (const key of element('keypad').querySelectorAll('button')) key.onclick = () => agent.sendDigit(key.value);
    document.addEventListener('keydown', ({ key, target }) => {
      if (!element('media').hidden && /^[0-9*#]$/.test(key) && target.tagName !== 'INPUT') agent.sendDigit(key);
    });
    agent.addEventListener('call', ({ detail }) => this.show(detail));
    agent.addEventListener('local', ({ detail }) => this.#meter('level-out', detail));
    agent.addEventListener('media', ({ detail }) => {
      element('remote-audio').srcObject = detail.stream;
      this.#meter('level-in', detail.stream);
    });
  }

  show({ phase, peer }) {
    const over = phase === 'over';
    show('call', !over);
    show('dial', over);
    if (over) {
      this.#stop();
      element('target').focus();
      return;
    }
    document.title = `${phase === 'incoming' ? '☎ ' : ''}${peer}`;
    element('call-peer').textContent = peer;
    element('call-state').textContent = phaseWords[phase];
    const media = phase === 'up' || phase === 'held' || phase === 'connecting';
    show('answer', phase === 'incoming');
    show('hold', phase === 'up' || phase === 'held');
    show('mute', phase === 'up' || phase === 'held');
    element('hang-up').textContent = phase === 'incoming' ? 'Decline' : 'Hang up';
    element('hold').ariaPressed = String(Boolean(this.agent.session?.isOnHold().local));
    element('hold').textContent = element('hold').ariaPressed === 'true' ? 'Retrieve' : 'Hold';
    show('media', media);
    if (phase === 'incoming') element('answer').focus();
    if (media && this.#timers.length === 0) this.#start();
  }

  #start() {
    this.since = Date.now();
    this.heard = { received: 0, at: Date.now(), told: false };
    this.#timers.push(setInterval(() => this.#tick(), 1000), setInterval(() => {
      for (const [id, meter] of Object.entries(this.#meters)) element(id).value = meter.level();
    }, 100));
  }

  #stop() {
    this.#timers.splice(0).forEach(clearInterval);
    Object.values(this.#meters).forEach((meter) => meter.close());
    this.#meters = {};
    element('remote-audio').srcObject = null;
    element('mute').ariaPressed = 'false';
    element('call-clock').textContent = '';
    for (const field of document.querySelectorAll('#statistics dd')) field.textContent = '–';
    document.title = 'Linegate phone';
  }

  #meter(id, stream) {
    this.context ??= new AudioContext();
    this.context.resume();
    this.#meters[id]?.close();
    this.#meters[id] = new LevelMeter(this.context, stream);
  }

  async #tick() {
    const { connection, session } = this.agent;
    if (!connection || connection.connectionState !== 'connected') return;
    const now = await readStatistics(connection);
    const number = (value, digits, unit) => (value === null ? '–' : `${value.toFixed(digits)} ${unit}`);
    const seconds = Math.floor((Date.now() - this.since) / 1000);
    const held = session?.isOnHold();
    const clock = `${Math.floor(seconds / 60)}:${String(seconds % 60).padStart(2, '0')}`;
    element('call-clock').textContent = `, ${clock}`;
    element('stat-loss').textContent = now.lossPercent === null ? '–' : `${now.lost} (${now.lossPercent.toFixed(1)} %)`;
    element('stat-jitter').textContent = number(now.jitterMs, 0, 'ms');
    element('stat-rtt').textContent = number(now.rttMs, 0, 'ms');
    element('stat-codec').textContent = now.codec ?? '–';
    element('stat-srtp').textContent = now.suite ?? '–';
    element('stat-path').textContent = now.path ?? '–';
    this.#watchSilence(now.received, held);
  }

  #watchSilence(received, held) {
    if (received !== this.heard.received || held?.local || held?.remote) {
      if (this.heard.told) showProblem(null);
      this.heard = { received, at: Date.now(), told: false };
    } else if (!this.heard.told && Date.now() - this.heard.at > mediaLostAfterS * 1000) {
      this.heard.told = true;
      showProblem(mediaLostProblem(mediaLostAfterS));
    }
  }
}

function showState({ state, text }) {
  element('state').dataset.state = state;
  element('state').textContent = text;
  const signedIn = state === 'on';
  if (signedIn && element('call').hidden) {
    show('dial', true);
    if (!element('sign-in').hidden) element('target').focus();
  }
  if (state === 'off') show('dial', false);
  show('sign-in', !signedIn && element('dial').hidden && element('call').hidden);
}

// The switch for relay only and its fields; what they hold counts from the next call on.
function wireNetwork(agent, settings) {
  const value = (id) => element(id).value.trim();
  const known = networkConfig(settings, { relayOnly: true }) !== null;
  element('relay-only').onchange = () => {
    show('relay', element('relay-only').checked);
    show('relay-known', known);
  };
  agent.network = async () => {
    await renewCredentials(settings);
    return networkConfig(settings, {
      relayOnly: element('relay-only').checked, url: value('relay-url'), user: value('relay-user'), password: element('relay-password').value });
  };
}

async function main() {
  const missing = missingPrerequisite();
  if (missing) {
    showProblem(missing);
    show('sign-in', false);
    return;
  }
  const settings = await loadSettings();
  const agent = new Agent(settings);
  new CallView(agent);
  wireNetwork(agent, settings);
  agent.addEventListener('state', ({ detail }) => showState(detail));
  agent.addEventListener('problem', ({ detail }) => showProblem(detail));
  element('problem-close').onclick = () => showProblem(null);
  element('user').value = rememberedUser();
  element('domain').value = settings.domain;
  show('test-numbers', settings.testNumbers);
  element('sign-in').onsubmit = (event) => {
    event.preventDefault();
    showProblem(null);
    rememberUser(element('user').value);
    agent.signIn({ user: element('user').value.trim(), password: element('password').value, domain: element('domain').value.trim() });
  };
  element('sign-out').onclick = () => agent.signOut();
  element('dial').onsubmit = (event) => {
    event.preventDefault();
    agent.call(element('target').value.trim());
  };
  for (const link of document.querySelectorAll('[data-target]')) {
    link.onclick = () => { element('target').value = link.dataset.target; agent.call(link.dataset.target); };
  }
  element(element('user').value ? 'password' : 'user').focus();
}

main();
