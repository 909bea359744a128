// The newcomer's way: scripts/run.sh without arguments, its page in Chromium on this machine, a call to `echo`, Ctrl-C.
import fs from 'node:fs';
import { callEcho, require, withRunScript } from './harness/demo_page.js';
import { execute } from './harness/process.js';

async function leftovers() {
  const found = [];
  if (fs.existsSync('/run/netns/linegate')) found.push('namespace linegate');
  if ((await execute('ip', ['link', 'show', 'lg-host'])).code === 0) found.push('interface lg-host');
  if (fs.existsSync('/run/linegate-run')) found.push('/run/linegate-run');
  return found;
}

async function main() {
  await withRunScript([], '', async ({ url, user, password }) => {
    const { shown } = await callEcho({ url, user, password });
    console.log(`${url}: ${user} called echo: ${JSON.stringify(shown)}`);
  });
  require((await leftovers()).length === 0, `left behind: ${(await leftovers()).join(', ')}`);
}

main().then(() => process.exit(0), (error) => {
  console.error(error.message);
  process.exit(1);
});
