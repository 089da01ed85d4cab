// Servers, publishers and their use of the machine, for the tools that measure.

import { execFile, spawn } from 'node:child_process';
import { once } from 'node:events';
import { access, chmod, mkdtemp, readFile, rm, writeFile } from 'node:fs/promises';
import { createServer } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { createInterface } from 'node:readline';
import { promisify } from 'node:util';

/** `sysconf(_SC_CLK_TCK)`, which is 100 on every Linux that Debian runs on. */
const TICKS_PER_SECOND = 100;

/** How much is kept of what a process has to say, in characters. */
const MAX_SAID = 2_000;

/** A folder that is there until `end`; caches that run as users of their own may enter it. */
export async function temporary(name) {
  const path = await mkdtemp(join(tmpdir(), `touchline-${name}-`));
  await chmod(path, 0o755);
  return { path, end: () => rm(path, { recursive: true }) };
}

/**
 * A `touchline serve` on ports of its own, and where it listens: `watch`, `rtmp`, `srt`, `admin`; and the port of WebRTC. It passes
 * sources through. `log` is what TOUCHLINE_LOG says.
 */
export async function serve(binaries, folder, config = '', log = 'info') {
  const file = join(folder, `${crypto.randomUUID()}.toml`);
  await writeFile(file, config);
  const listen = ['--http', '--rtmp', '--srt', '--webrtc', '--admin'].flatMap((flag) => [flag, '127.0.0.1:0']);
  const process = start(join(binaries, 'touchline'), ['serve', '--config', file, '--ladder', 'off', ...listen], { TOUCHLINE_LOG: log });
  const found = {};
  for await (const line of createInterface(process.stdout)) {
    const [, what, url] = /^(watch|publish|admin)\s+(\S+?)\/?(?:\s|$)/.exec(line) ?? [];
    if (what) found[what === 'publish' ? url.split(':')[0] : what] = url;
    if (found.watch && found.rtmp && found.srt && found.admin && found.http) {
      const srt = new URL(found.srt).host;
      return { process, ...found, srt, webrtc: Number(/UDP and TCP (\d+)/.exec(line)[1]) };
    }
  }
  throw new Error(`touchline serve ended before it listened: ${process.said}`);
}

/** A `touchline edge` of these origins, and where it listens: `watch` and `admin`. */
export async function edge(binaries, origins, ...args) {
  const follow = origins.flatMap(({ watch }) => ['--origin', watch]);
  const process = start(join(binaries, 'touchline'), ['edge', ...follow, '--http', '127.0.0.1:0', '--admin', '127.0.0.1:0', ...args]);
  const found = {};
  for await (const line of createInterface(process.stdout)) {
    const [, what, url] = /^(watch|admin)\s+(\S+?)\/?(?:\s|$)/.exec(line) ?? [];
    if (what) found[what] = url;
    if (found.watch && found.admin) return { process, ...found };
  }
  throw new Error(`touchline edge ended before it listened: ${process.said}`);
}

/** A process that is told to go when this one goes. What it says on its standard error is in `said`, line by line on `lines`. */
export function start(program, args, environment = {}) {
  const child = spawn(program, args, { stdio: ['ignore', 'pipe', 'pipe'], env: { ...globalThis.process.env, ...environment } });
  child.said = '';
  child.stderr.on('data', (text) => (child.said = (child.said + text).slice(-MAX_SAID)));
  child.lines = createInterface(child.stderr);
  running.add(child);
  child.on('exit', () => running.delete(child));
  child.on('error', (error) => console.error(`${program}: ${error.message}`));
  return child;
}

const running = new Set();
process.on('exit', () => running.forEach((child) => child.kill('SIGKILL')));
for (const signal of ['SIGINT', 'SIGTERM']) process.on(signal, () => process.exit(1));

/** Asks processes to end, and waits until they have. */
export async function end(...children) {
  await Promise.all(
    children.map(async (child) => {
      if (child.exitCode !== null || child.signalCode !== null) return;
      const over = once(child, 'exit');
      child.kill('SIGTERM');
      const late = setTimeout(() => child.kill('SIGKILL'), 5_000);
      await over;
      clearTimeout(late);
    }),
  );
}

/** 720p30 in H.264 at 3 Mb/s with a keyframe every two seconds, and AAC, or Opus for WHIP: a file that is made once. */
export async function encode(folder, seconds, protocol = 'RTMP') {
  const whip = protocol === 'WHIP';
  const file = join(folder, whip ? 'feed.mkv' : 'feed.mp4');
  const sort = whip ? ['-profile:v', 'baseline', '-c:a', 'libopus', '-ac', '2'] : ['-c:a', 'aac'];
  const pictures = ['-f', 'lavfi', '-i', 'testsrc2=size=1280x720:rate=30,noise=alls=10:allf=t'];
  const sound = ['-f', 'lavfi', '-i', 'sine=sample_rate=48000'];
  const h264 = ['-c:v', 'libx264', '-preset', 'ultrafast', '-tune', 'zerolatency', '-pix_fmt', 'yuv420p', '-g', '60'];
  const rate = ['-b:v', '3M', '-maxrate', '3M', '-bufsize', '3M', '-b:a', '128k'];
  await run('ffmpeg', ['-v', 'error', '-nostdin', ...pictures, ...sound, '-t', seconds, ...h264, ...sort, ...rate, file]);
  return file;
}

/** An ffmpeg that sends a file as it would happen, again and again. `outputs` are lists of format and URL; then which ffmpeg, perhaps. */
export function publish(file, ...outputs) {
  const { ffmpeg = 'ffmpeg' } = Array.isArray(outputs.at(-1)) ? {} : outputs.pop();
  const source = ['-v', 'error', '-nostdin', '-re', '-stream_loop', '-1', '-i', file];
  const sinks = outputs.flatMap(([format, url]) => ['-map', '0', '-c', 'copy', '-f', format, url]);
  return start(ffmpeg, [...source, ...sinks]);
}

/** The URL by which ffmpeg calls an SRT listener. `latency` in milliseconds, if it is to be asked for. */
export function srtUrl(host, streamId, latency) {
  const asked = latency ? `&latency=${latency * 1_000}` : '';
  return `srt://${host}?streamid=${streamId}&pkt_size=1316${asked}`;
}

/** Who publishes, by channel. */
export async function publishers(server) {
  const list = await (await fetch(`${server.admin}/api/v1/publishers`)).json();
  return Object.fromEntries(list.map((publisher) => [publisher.channel, publisher]));
}

/** What a server counts, by series of its metrics. */
export async function metrics(server) {
  const text = await (await fetch(`${server.admin}/metrics`)).text();
  const lines = text.split('\n').filter((line) => line && !line.startsWith('#'));
  return Object.fromEntries(lines.map((line) => [line.slice(0, line.lastIndexOf(' ')), Number(line.slice(line.lastIndexOf(' ')))]));
}

/** Waits until `condition` holds; fails when it has not for half a minute. */
export async function until(what, condition) {
  for (let attempt = 0; attempt < 300; attempt++) {
    if (await condition()) return;
    await sleep(100);
  }
  throw new Error(`not within half a minute: ${what}`);
}

/** Whether a URL is there. */
export function answers(url) {
  return fetch(url).then(
    (answer) => answer.arrayBuffer().then(() => answer.ok),
    () => false,
  );
}

/** A port of the loopback that nobody listens on now. */
export async function freePort() {
  const listener = createServer().listen(0, '127.0.0.1');
  await once(listener, 'listening');
  const { port } = listener.address();
  listener.close();
  await once(listener, 'close');
  return port;
}

/** A process and those below it. */
export async function family(pid) {
  const below = await readFile(`/proc/${pid}/task/${pid}/children`, 'utf8').catch(() => '');
  return [pid, ...(await Promise.all(below.split(' ').filter(Boolean).map(Number).map(family))).flat()];
}

/** Processor time that a process and its children that are there have used, in seconds. */
export async function cpuSeconds(pid) {
  const children = await readFile(`/proc/${pid}/task/${pid}/children`, 'utf8').catch(() => '');
  const below = await Promise.all(children.split(' ').filter(Boolean).map(cpuSeconds));
  // proc(5): the name of the program, in parentheses, may hold spaces; utime and stime are fields 14 and 15.
  const stat = await readFile(`/proc/${pid}/stat`, 'utf8');
  const fields = stat.slice(stat.lastIndexOf(')') + 2).split(' ');
  return (Number(fields[11]) + Number(fields[12])) / TICKS_PER_SECOND + below.reduce((sum, one) => sum + one, 0);
}

/** Memory of a process that is in the machine, in bytes. */
export async function residentBytes(pid) {
  const status = await readFile(`/proc/${pid}/status`, 'utf8');
  return Number(/^VmRSS:\s+(\d+) kB$/m.exec(status)[1]) * 1_024;
}

/** The part of all processors that was busy between two of its results. */
export async function machine() {
  const [, ...fields] = (await readFile('/proc/stat', 'utf8')).split('\n', 1)[0].split(/\s+/).map(Number);
  const all = fields.slice(0, 8).reduce((sum, one) => sum + one, 0);
  const idle = fields[3] + fields[4];
  return { busy: all - idle, all, since: (before) => (all - idle - before.busy) / (all - before.all) };
}

/** Runs a program that must succeed; what it prints. */
export async function run(program, args) {
  const { stdout } = await promisify(execFile)(program, args.map(String), { maxBuffer: 1 << 26 });
  return stdout;
}

/** Fails in words when a program that is needed is missing. */
export async function need(...files) {
  for (const file of files) await access(file).catch(() => Promise.reject(new Error(`${file} is missing: build it first`)));
}

export function sleep(ms) {
  return new Promise((resolve) => setTimeout(resolve, ms));
}

/** Puts text into a page, in place of what is between `<!-- name -->` and `<!-- end -->`. */
export async function insert(file, name, text) {
  const page = await readFile(file, 'utf8');
  const [before, rest] = page.split(`<!-- ${name} -->\n`);
  const after = rest?.slice(rest.indexOf('<!-- end -->'));
  if (!after) throw new Error(`${file} has no place for ${name}`);
  await writeFile(file, `${before}<!-- ${name} -->\n${text}\n${after}`);
}

/** A table as Markdown has it. */
export function table(head, rows) {
  const row = (cells) => `| ${cells.join(' | ')} |`;
  return [row(head), row(head.map(() => '---')), ...rows.map(row)].join('\n');
}
