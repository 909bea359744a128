// The newcomer's way: scripts/run.sh without arguments, its page in Chromium on this machine, a call to `echo`, Ctrl-C.
// Everything goes by what run.sh prints and what the page shows.
import fs from 'node:fs';
import path from 'node:path';
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { fileURLToPath } from 'node:url';
import { chromium } from 'playwright-core';
import { execute, root, sleep, untilTrue } from './harness/process.js';

const here = path.dirname(fileURLToPath(import.meta.url));
// No flag here that a user does not have, but for the microphone and the certificate's two clicks.
const flags = ['--no-sandbox', '--use-fake-device-for-media-stream', '--use-fake-ui-for-media-stream', '--disable-gpu'];

function require(condition, text) {
  if (!condition) throw new Error(text);
}

async function callEcho(url, user, password) {
  const engine = await chromium.launch({
    executablePath: path.join(here, 'harness/chromium_in_namespace.sh'), headless: true, args: flags });
  try {
    const page = await (await engine.newContext({ ignoreHTTPSErrors: true })).newPage();
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
    return shown;
  } finally {
    await engine.close();
  }
}

async function leftovers() {
  const found = [];
  if (fs.existsSync('/run/netns/linegate')) found.push('namespace linegate');
  if ((await execute('ip', ['link', 'show', 'lg-host'])).code === 0) found.push('interface lg-host');
  if (fs.existsSync('/run/linegate-run')) found.push('/run/linegate-run');
  return found;
}

async function main() {
  const child = spawn(path.join(root, 'scripts/run.sh'), { stdio: ['ignore', 'pipe', 'inherit'] });
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
    const shown = await callEcho(url, user, password);
    console.log(`${url}: ${user} called echo: ${JSON.stringify(shown)}`);
  } finally {
    if (ended === null) {
      child.kill('SIGTERM'); // as Ctrl-C, which a background job may have to ignore
      await Promise.race([once(child, 'exit'), sleep(15000)]);
    }
  }
  require(ended === 0, `run.sh ended with ${ended}`);
  require((await leftovers()).length === 0, `left behind: ${(await leftovers()).join(', ')}`);
}

main().then(() => process.exit(0), (error) => {
  console.error(error.message);
  process.exit(1);
});
