// Hosts behind symmetric NAT: each is a namespace beside the lab's three whose every new connection leaves from a port
// of its own, and which lets in answers only. lg-web is the router between them and the gateway.
import { execute, inNamespace, namespaceOf } from './process.js';

const rules = `table inet symmetric {
  chain out { type nat hook postrouting priority srcnat; oifname "up0" masquerade random,fully-random; }
  chain in { type filter hook input priority filter; iifname "up0" ct state established,related accept; iifname "up0" drop; }
}`;

async function must(program, args) {
  const { code, stderr } = await execute(program, args);
  if (code !== 0) throw new Error(`${program} ${args.join(' ')}: ${stderr.trim()}`);
}

const ip = (...args) => must('ip', args);

// Runs `body` with the namespaces NAME-nat1 and NAME-nat2 there: 10.90.11.2 and 10.90.12.2.
export async function withSymmetricNats(body) {
  const names = ['nat1', 'nat2'];
  try {
    for (const [n, name] of names.entries()) {
      const [ns, network] = [namespaceOf(name), `10.90.${11 + n}`];
      await ip('netns', 'add', ns);
      await ip('-n', ns, 'link', 'set', 'lo', 'up');
      await ip('link', 'add', 'up0', 'netns', ns, 'type', 'veth', 'peer', 'name', `lg${name}`, 'netns', namespaceOf('web'));
      for (const [where, device, host] of [[name, 'up0', 2], ['web', `lg${name}`, 1]]) {
        await must('nsenter', [`--net=/run/netns/${namespaceOf(where)}`, '--', 'ethtool', '-K', device, 'tx', 'off']);
        await ip('-n', namespaceOf(where), 'addr', 'add', `${network}.${host}/24`, 'dev', device);
        await ip('-n', namespaceOf(where), 'link', 'set', device, 'up');
      }
      await ip('-n', ns, 'route', 'add', 'default', 'via', `${network}.1`);
      await ip('-n', namespaceOf('core'), 'route', 'add', `${network}.0/24`, 'via', '10.90.1.2');
      await must('nsenter', [`--net=/run/netns/${ns}`, '--', 'nft', rules]);
    }
    await inNamespace('web', 'sysctl', ['-qw', 'net.ipv4.ip_forward=1']);
    return await body(names.map(namespaceOf));
  } finally {
    await inNamespace('web', 'sysctl', ['-qw', 'net.ipv4.ip_forward=0']);
    for (const [n, name] of names.entries()) {
      await execute('ip', ['-n', namespaceOf('core'), 'route', 'del', `10.90.${11 + n}.0/24`]);
      await execute('ip', ['netns', 'del', namespaceOf(name)]);
    }
  }
}
