// scripts/run.sh --advertise behind 1:1 NAT, in three machines of the test's own:
//
//   client 203.0.113.2 --- 203.0.113.1 nat 10.90.8.1 --- 10.90.8.2 server
//
// nat translates 203.0.113.1 to 10.90.8.2 and back, and forwards nothing else. A browser on the client calls echo; the
// page, the certificate and all signalling must name the public address alone.
import { callEcho, require, withRunScript } from './harness/demo_page.js';
import { execute } from './harness/process.js';

const server = 'linegate-server';
const nat = 'linegate-nat';
const client = 'linegate-client';
const inside = '10.90.8.2';
const outside = '203.0.113.1';

async function run(program, ...args) {
  const { code, stdout, stderr } = await execute(program, args);
  if (code !== 0) throw new Error(`${program} ${args.join(' ')}: ${stderr.trim()}`);
  return stdout;
}

const on = (machine, ...command) => run('nsenter', `--net=/run/netns/${machine}`, '--', ...command);

async function remove() {
  for (const machine of [server, nat, client]) await execute('ip', ['netns', 'del', machine]);
}

async function join(machine, device, address, other, otherDevice, otherAddress) {
  await run('ip', 'link', 'add', device, 'netns', machine, 'numtxqueues', '1', 'numrxqueues', '1', 'type', 'veth',
    'peer', 'name', otherDevice, 'netns', other, 'numtxqueues', '1', 'numrxqueues', '1');
  for (const [where, name, own] of [[machine, device, address], [other, otherDevice, otherAddress]]) {
    await on(where, 'ethtool', '-K', name, 'tx', 'off'); // see scripts/lab.sh
    await run('ip', '-n', where, 'addr', 'add', `${own}/24`, 'dev', name);
    await run('ip', '-n', where, 'link', 'set', name, 'up');
  }
}

async function build() {
  await remove();
  for (const machine of [server, nat, client]) {
    await run('ip', 'netns', 'add', machine);
    await run('ip', '-n', machine, 'link', 'set', 'lo', 'up');
  }
  await join(server, 'lgn0', inside, nat, 'lgn1', '10.90.8.1');
  await join(client, 'lgc0', '203.0.113.2', nat, 'lgc1', outside);
  await run('ip', '-n', server, 'route', 'add', 'default', 'via', '10.90.8.1');
  await on(nat, 'sysctl', '-qw', 'net.ipv4.ip_forward=1');
  await on(nat, 'nft', `add table ip nat;
    add chain ip nat in { type nat hook prerouting priority dstnat; };
    add chain ip nat out { type nat hook postrouting priority srcnat; };
    add rule ip nat in iifname lgc1 ip daddr ${outside} dnat to ${inside};
    add rule ip nat out oifname lgc1 ip saddr ${inside} snat to ${outside};
    add table ip guard;
    add chain ip guard forward { type filter hook forward priority 0; };
    add rule ip guard forward iifname lgc1 ct status & dnat == 0 drop`);
}

async function check({ url, user, password }) {
  require(url === `https://${outside}/`, `served at ${url}`);
  const certificate = await on(client, 'bash', '-c',
    `openssl s_client -connect ${outside}:443 </dev/null 2>/dev/null | openssl x509 -noout -subject -ext subjectAltName`);
  require(certificate.includes(`IP Address:${outside}`), `the certificate is for ${certificate}`);
  require(!certificate.includes(inside), `the certificate names the private address: ${certificate}`);
  const { shown, frames } = await callEcho({ url, user, password, namespace: client });
  const answer = frames.find((frame) => frame.startsWith('SIP/2.0 200') && frame.includes('m=audio'));
  const lines = answer.split('\r\n').filter((line) => /^(c=|a=candidate|o=|a=rtcp:)/.test(line));
  require(lines.some((line) => line === `c=IN IP4 ${outside}`), `c= expected with ${outside}: ${lines}`);
  const candidates = lines.filter((line) => line.startsWith('a=candidate'));
  require(candidates.length === 1 && candidates[0].includes(` ${outside} `), `candidates: ${candidates}`);
  const told = frames.find((frame) => frame.includes('10.90.8.'));
  require(!told, `the browser is told a private address: ${told}`);
  console.log(`${url}: ${user} called echo through NAT: ${JSON.stringify(shown)}; ${candidates[0]}`);
}

async function main() {
  await build();
  try {
    await withRunScript(['--interface', 'lgn0', '--advertise', outside], server, check);
  } finally {
    await remove();
  }
}

main().then(() => process.exit(0), (error) => {
  console.error(error.message);
  process.exit(1);
});
