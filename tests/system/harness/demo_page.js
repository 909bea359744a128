// scripts/run.sh and the page it serves, as a newcomer meets them: what is printed and what is shown decides.
import path from 'node:path';
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { fileURLToPath } from 'node:url';
import { chromium } from 'playwright-core';
import { root, sleep, untilTrue } from './process.js';

const here = path.dirname(fileURLToPath(import.meta.url));
// No flag here that a user does not have, but for the microphone and the certificate's two clicks.
const flags = ['--no-sandbox', '--use-fake-device-for-media-stream', '--use-fake-ui-for-media-stream', '--disable-gpu'];

export function require(condition, text) {
  if (!condition) throw new Error(text);
}

// Calls echo for three seconds. Resolves with what the page shows, the descriptions it got and every frame from the
// gateway. `namespace`: where the browser runs; '' is here.
export async function callEcho({ url, user, password, namespace = '' }) {
  const engine = await chromium.launch({
    executablePath: path.join(here, 'chromium_in_namespace.sh'), headless: true, args: flags,
    env: { ...process.env, LINEGATE_NAMESPACE: namespace } });
  try {
    const page = await (await engine.newContext({ ignoreHTTPSErrors: true })).newPage();
    const frames = [];
    page.on('websocket', (socket) => socket.on('framereceived', ({ payload }) => frames.push(String(payload))));
    page.setDefaultTimeout(8000);
    await page.goto(url);
    await page.fill('#user', user);
    await page.fill('#password', password);
    await page.click('#sign-in button[type=submit]');
    await page.waitForSelector('#dial:not([hidden])');
    await page.fill('#target', 'echo');
    await page.click('#dial button[type=submit]');
    await page.waitForSelector('#hold:not([hidden])');
    await page.waitForFunction(() => document.getElementById('stat-codec').textContent !== '–');
    await sleep(3000);
    const shown = Object.fromEntries(await Promise.all(['loss', 'codec', 'srtp', 'path'].map(async (name) =>
      [name, await page.textContent(`#stat-${name}`)])));
    require(shown.loss.startsWith('0 '), `packets lost: ${JSON.stringify(shown)}`);
    require(await page.evaluate(() => document.getElementById('problem').hidden), 'the page shows a problem');
    await page.click('#hang-up');
    await page.waitForSelector('#dial:not([hidden])');
    return { shown, frames };
  } finally {
    await engine.close();
  }
}

// Runs scripts/run.sh with these arguments until `body` is through, then stops it as Ctrl-C does. `namespace`: the
// machine it runs on; '' is this one. `body` gets { url, user, password, output }.
export async function withRunScript(runArguments, namespace, body) {
  const script = [path.join(root, 'scripts/run.sh'), ...runArguments];
  const [program, ...rest] = namespace ? ['nsenter', `--net=/run/netns/${namespace}`, '--', ...script] : script;
  const child = spawn(program, rest, { stdio: ['ignore', 'pipe', 'inherit'] });
  let output = '';
  let ended = null;
  child.stdout.on('data', (data) => { output += data; });
  child.on('exit', (code) => { ended = code; });
  try {
    const limitMs = 15 * 60 * 1000; // it may have to build
    await untilTrue('run.sh gets ready', limitMs, () => {
      require(ended === null, `run.sh ended with ${ended}:\n${output}`);
      return output.includes('Ctrl-C stops');
    }, 200);
    const url = /Linegate serves (https:\S+)/.exec(output)[1];
    const [, user, password] = /user (\S+)\s+password (\S+)/.exec(output);
    await body({ url, user, password, output });
  } finally {
    if (ended === null) {
      child.kill('SIGTERM'); // as Ctrl-C, which a background job may have to ignore
      await Promise.race([once(child, 'exit'), sleep(15000)]);
    }
  }
  require(ended === 0, `run.sh ended with ${ended}`);
}
