// What went wrong, in words: { title, text, steps }. No DOM here.

export function missingPrerequisite() {
  if (!window.isSecureContext || !navigator.mediaDevices?.getUserMedia) {
    return {
      title: 'This page may not use the microphone',
      text: `Browsers give the microphone only to pages from a secure address, and ${location.origin} is none.`,
      steps: [`Open https://${location.host}/ instead.`] };
  }
  if (!window.RTCPeerConnection) {
    return { title: 'This browser cannot place calls', text: 'It has no WebRTC, or WebRTC is switched off in it.', steps: [] };
  }
  return null;
}

export function microphoneProblem(error) {
  switch (error?.name) {
    case 'NotAllowedError':
      return {
        title: 'The microphone was refused',
        text: 'Without it the other side would hear nothing, so the call was not placed.',
        steps: ['Click the symbol left of the address and allow the microphone for this page.',
          'If it is allowed there, look into the privacy settings of the operating system.'] };
    case 'NotFoundError':
      return { title: 'There is no microphone', text: 'The browser finds none on this machine.', steps: ['Plug one in and try again.'] };
    case 'NotReadableError':
      return { title: 'The microphone does not start', text: 'Another program may be using it.', steps: ['Close that program and try again.'] };
    default:
      return { title: 'The microphone cannot be used', text: String(error?.message ?? error ?? 'The browser gives no reason.'), steps: [] };
  }
}

export function connectionProblem(wss, wasConnected) {
  const page = wss.replace(/^wss/, 'https');
  if (wasConnected) {
    return {
      title: 'The connection to the gateway is gone',
      text: 'Calls that are up may go on; new ones cannot be placed or received until it is back. This page keeps trying.',
      steps: [] };
  }
  return {
    title: 'The gateway cannot be reached',
    text: `The secure WebSocket ${wss} does not open. A browser does not say why; the usual reasons:`,
    steps: [`Its certificate is not trusted here: open ${page} in a tab of its own and accept it.`,
      'The gateway does not run, or a firewall blocks this TCP port.',
      'A proxy between here and there does not let WebSockets through.'] };
}

export function registrationProblem(cause, code) {
  if (code === 401 || code === 403 || code === 407) {
    return { title: 'Not signed in', text: `The user or the password is wrong (${code}).`, steps: [] };
  }
  if (code === 404) return { title: 'Not signed in', text: 'The gateway does not serve this domain (404).', steps: [] };
  if (code === 503 || code === 504 || cause === 'Request Timeout') {
    return { title: 'Not signed in', text: 'The gateway answers, but the SIP Server behind it does not.', steps: [] };
  }
  return { title: 'Not signed in', text: `${cause}${code ? ` (${code})` : ''}`, steps: [] };
}

const callWords = new Map([
  [403, 'This call is not allowed.'], [404, 'Nobody has this number.'], [407, 'The password was not accepted.'],
  [408, 'The other side did not answer in time.'], [480, 'The other side is not signed in.'], [486, 'The other side is busy.'],
  [487, 'The call was given up.'], [488, 'Both sides have no codec in common.'], [603, 'The other side declined.']]);

// null: nothing to explain, the call simply ended.
export function callProblem({ cause, code, originator }) {
  if (originator === 'local' && (cause === 'Canceled' || cause === 'Terminated' || cause === 'Rejected')) return null;
  if (cause === 'Canceled') return { title: 'Missed call', text: 'The caller gave up.', steps: [] };
  if (callWords.has(code)) return { title: 'No call', text: `${callWords.get(code)} (${code})`, steps: [] };
  if (cause === 'WebRTC Error' || cause === 'Bad Media Description') {
    return { title: 'No call', text: 'The browser does not accept the media description of the other side.', steps: [] };
  }
  return { title: 'No call', text: `${cause}${code ? ` (${code})` : ''}`, steps: [] };
}

// Candidates that the gateway offered, as [{ address, port }], from its session description.
export function offeredCandidates(sdp) {
  return [...(sdp ?? '').matchAll(/^a=candidate:\S+ 1 udp \d+ (\S+) (\d+) /gim)].map(([, address, port]) => ({ address, port }));
}

export function noPathProblem(sdp, final) {
  const blocked = offeredCandidates(sdp).map(({ address, port }) => `UDP port ${port} to ${address} is blocked, or nobody answers there.`);
  return {
    title: final ? 'No path for the sound' : 'Still no path for the sound',
    text: 'The call is signalled, but no packet of this browser is answered:',
    steps: [...(blocked.length > 0 ? blocked : ['The gateway named no address.']),
      'A firewall has to let these packets out and their answers in; a VPN or a browser extension may also forbid UDP.'] };
}

export const noRelayProblem = {
  title: 'There is no relay to test', text: 'Neither the settings of this page nor the fields below name a TURN server.',
  steps: ['Fill in its address, for example turn:relay.example.org:3478?transport=udp, and user and password.'] };

export const badRelayProblem = (error) => ({
  title: 'The browser does not take this TURN server', text: String(error?.message ?? error),
  steps: ['An address looks like turn:HOST:PORT?transport=udp, turn:HOST:PORT?transport=tcp or turns:HOST:PORT?transport=tcp.'] });

export const slowRelayProblem = (urls) => ({
  title: 'The relay does not answer', text: 'This browser asks for an address there and hears nothing yet:', steps: urls });

// `failures`: what the browser tells of its attempts, as [{ url, code, text }].
export function noRelayedAddressProblem(failures) {
  const word = ({ code, text }) => {
    if (code === 401 || code === 403) return 'the user or the password is wrong';
    if (code === 486 || code === 508) return 'the server has no room for this user';
    return code === 701 ? 'not reached: blocked on the way, or no server there' : `${text || 'no reason'} (${code})`;
  };
  return {
    title: 'The relay gives no address', text: 'The call was not placed: with relay only, there is no other way for the sound.',
    steps: [...new Set(failures.map((one) => `${one.url}: ${word(one)}.`))] };
}

export function mediaLostProblem(seconds) {
  return {
    title: 'Nothing is heard any more', text: `No packet of the other side has arrived for ${seconds} s.`,
    steps: ['If the network has just changed, wait a moment.', 'Otherwise hang up and call again.'] };
}
