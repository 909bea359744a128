// Where this page belongs: the WSS address is the page's own origin; domain and ICE servers may come from config.json.

export async function loadSettings() {
  const settings = { wss: `wss://${location.host}/`, domain: location.hostname, iceServers: [], testNumbers: true };
  try {
    const response = await fetch('config.json', { cache: 'no-store' });
    if (response.ok) {
      const given = await response.json();
      if (typeof given.domain === 'string' && given.domain) settings.domain = given.domain;
      if (Array.isArray(given.iceServers)) settings.iceServers = given.iceServers;
      if (given.testNumbers === false) settings.testNumbers = false;
    }
  } catch {
    // No such file, or not JSON: the defaults are good for a gateway that serves one domain under its own name.
  }
  return settings;
}

const marginS = 60;

// The gateway's own relay gives names that begin with the second they end at. A page may stay open for longer than that.
const lapses = ({ username }) => /^\d+(:|$)/.test(username ?? '') && Number.parseInt(username, 10) < Date.now() / 1000 + marginS;

// Asks the gateway for new credentials when those it gave are over or nearly so.
export async function renewCredentials(settings) {
  if (settings.iceServers.some(lapses)) settings.iceServers = (await loadSettings()).iceServers;
}

// The name is remembered between visits; the password is left to the browser's own store.
export const rememberedUser = () => localStorage.getItem('linegate-user') ?? '';
export const rememberUser = (user) => localStorage.setItem('linegate-user', user);

// How calls may reach the gateway: any way, or through a TURN server alone, which shows whether such a network lets calls
// through. `typed` is what the form holds; a server named there stands for those of config.json. null: no server is known.
export function networkConfig(settings, typed) {
  if (!typed.relayOnly) return { iceServers: settings.iceServers, iceTransportPolicy: 'all' };
  const relays = typed.url ? [{ urls: typed.url, username: typed.user, credential: typed.password }] : settings.iceServers.filter(isRelay);
  return relays.length > 0 ? { iceServers: relays, iceTransportPolicy: 'relay' } : null;
}

const isRelay = ({ urls }) => [urls].flat().some((url) => /^turns?:/.test(url));
