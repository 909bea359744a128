// Running other programs: the lab's script, programs inside one of its namespaces.
import { spawn, execFile } from 'node:child_process';
import { fileURLToPath } from 'node:url';
import path from 'node:path';

export const root = path.resolve(path.dirname(fileURLToPath(import.meta.url)), '../../..');
export const labScript = path.join(root, 'scripts/lab.sh');
// As in scripts/lab.sh.
const lab = process.env.LINEGATE_LAB || 'lg';
export const runDirectory = lab === 'lg' ? '/run/linegate-lab' : `/run/linegate-lab-${lab}`;
export const namespaceOf = (where) => `${lab}-${where}`;

export const sleep = (ms) => new Promise((resolve) => { setTimeout(resolve, ms); });

// Resolves with { code, stdout, stderr }; never rejects.
export function execute(program, args, { timeoutMs = 10000, ...options } = {}) {
  return new Promise((resolve) => {
    execFile(program, args, { timeout: timeoutMs, maxBuffer: 64 << 20, ...options }, (error, stdout, stderr) => {
      const code = error ? (typeof error.code === 'number' ? error.code : 1) : 0;
      resolve({ code, stdout, stderr: error?.killed ? `${stderr}(killed after ${timeoutMs} ms)` : stderr });
    });
  });
}

export const inNamespace = (where, program, args = [], options) =>
  execute('nsenter', [`--net=/run/netns/${namespaceOf(where)}`, '--', program, ...args], options);

export const spawnInNamespace = (where, program, args = [], options = {}) =>
  spawn('nsenter', [`--net=/run/netns/${namespaceOf(where)}`, '--', program, ...args], { stdio: ['pipe', 'pipe', 'inherit'], ...options });

// A TCP connection made inside a namespace: its two directions are the child's stdin and stdout.
export function connectInNamespace(where, port, host) {
  const relay = 'const s=require("net").connect(+process.argv[1],process.argv[2]);' +
    'process.stdin.pipe(s);s.pipe(process.stdout);s.on("close",()=>process.exit());s.on("error",()=>process.exit(1))';
  return spawnInNamespace(where, process.execPath, ['-e', relay, String(port), host]);
}

export async function untilTrue(what, limitMs, probe, stepMs = 50) {
  const deadline = Date.now() + limitMs;
  for (;;) {
    const value = await probe();
    if (value) return value;
    if (Date.now() > deadline) throw new Error(`${what}: not within ${limitMs} ms`);
    await sleep(stepMs);
  }
}
