// Carries TCP between two hosts that share only this machine's file system: one process of this listens where the
// client is, the other connects from another network namespace.
//
//   node tcp_forwarder.js LISTEN CONNECT      each HOST:PORT or a path; prints "ready" when it listens
import net from 'node:net';

const endpoint = (text) => {
  if (text.startsWith('/')) return { path: text };
  const colon = text.lastIndexOf(':');
  return { host: text.slice(0, colon), port: Number(text.slice(colon + 1)) };
};
const [from, to] = process.argv.slice(2).map(endpoint);

net.createServer((client) => {
  const server = net.connect(to);
  for (const [one, other] of [[client, server], [server, client]]) {
    one.on('error', () => other.destroy());
    one.on('close', () => other.destroy());
    one.pipe(other);
  }
}).listen(from, () => console.log('ready'));
