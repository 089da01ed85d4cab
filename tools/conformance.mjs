#!/usr/bin/env node
// Judges Touchline in each way that a channel can be, and other servers beside it: docs/conformance.md is what it prints.
//
//   tools/conformance.mjs target/release [NAME=URL ...] > docs/conformance.md
//
// A NAME=URL is another server's live stream, which plays already. Needs ffmpeg. Takes a minute and a half for each column.

import { execFile, spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { createInterface } from 'node:readline';

const SECONDS = 60;
/** Ahead of each judgement: playlists become longer than CAN-SKIP-UNTIL. */
const LEAD_IN_MS = 30_000;
/** In the middle of a judgement the publisher is away for so long. */
const AWAY_AFTER_MS = 25_000;
const AWAY_MS = 4_000;

const VIDEO = ['-f', 'lavfi', '-i', 'testsrc2=size=640x360:rate=30'];
const AUDIO = ['-f', 'lavfi', '-i', 'sine=sample_rate=48000'];
const H264 = ['-c:v', 'libx264', '-preset', 'ultrafast', '-tune', 'zerolatency', '-b:v', '800k', '-g', '60', '-pix_fmt', 'yuv420p'];
const AAC = ['-c:a', 'aac', '-b:a', '96k'];

const INTRODUCTION = `# Conformance

What \`touchline-loadtest check\` says, in ${SECONDS} s each, of Touchline over HTTPS in all the ways that a channel can be, and of other
servers with the same feed (640x360 at 30 frames/s, a keyframe every two seconds, AAC). Made by \`tools/conformance.mjs\`;
[check.md](check.md) tells how to read it. A dash means that the stream gave no occasion to see the rule.
`;

const SOURCES = {
  'pictures and sound': [...VIDEO, ...AUDIO, ...H264, ...AAC],
  'sound alone': [...AUDIO, ...AAC],
  'pictures alone': [...VIDEO, ...H264],
};

const [folder, ...peers] = process.argv.slice(2);
if (!folder || peers.some((peer) => !peer.includes('='))) {
  console.error('Usage: tools/conformance.mjs FOLDER-OF-THE-BINARIES [NAME=URL ...]');
  process.exit(2);
}

const columns = [];
const server = await start();
try {
  for (const [name, source] of Object.entries(SOURCES)) {
    const channel = name.replaceAll(' ', '-');
    const feed = publish(source, channel);
    await sleep(LEAD_IN_MS);
    columns.push({ name, report: await judge(`${server.watch}/live/${channel}/index.m3u8`) });
    await end(feed);
  }
  columns.push({ name: 'a publisher that leaves and returns', report: await returning() });
} finally {
  await end(server.child);
  await rm(server.folder, { recursive: true });
}
for (const peer of peers) {
  const [name, url] = peer.split(/=(.*)/s);
  columns.push({ name, report: await judge(url) });
}
console.log(page(columns));

async function returning() {
  const source = SOURCES['pictures and sound'];
  let feed = publish(source, 'returning');
  await sleep(LEAD_IN_MS);
  const judged = judge(`${server.watch}/live/returning/index.m3u8`);
  await sleep(AWAY_AFTER_MS);
  await end(feed);
  await sleep(AWAY_MS);
  feed = publish(source, 'returning');
  const report = await judged;
  await end(feed);
  return report;
}

async function start() {
  const folder_ = await mkdtemp(join(tmpdir(), 'touchline-conformance-'));
  const config = join(folder_, 'touchline.toml');
  await writeFile(config, '[hls]\nwindow = "30s"\n');
  const listen = ['--https', '127.0.0.1:0', '--self-signed', '--http', '127.0.0.1:0', '--rtmp', '127.0.0.1:0', '--srt', 'off', '--admin', '127.0.0.1:0'];
  const child = spawn(join(folder, 'touchline'), ['serve', '--config', config, ...listen], { stdio: ['ignore', 'pipe', 'ignore'] });
  const found = {};
  for await (const line of createInterface(child.stdout)) {
    const [, what, url] = /^(watch|publish|admin)\s+(\S+?)\/?(?:\s|$)/.exec(line) ?? [];
    if (what && (what !== 'watch' || url.startsWith('https:'))) found[what] = url;
    if (found.watch && found.publish) return { child, folder: folder_, ...found };
  }
  throw new Error('touchline serve ended before it listened');
}

function publish(source, channel) {
  const input = source.flatMap((word) => (word === '-f' ? ['-re', '-f'] : [word]));
  const to = ['-f', 'flv', `${server.publish}/${channel}`];
  return spawn('ffmpeg', ['-loglevel', 'error', '-nostdin', ...input, ...to], { stdio: ['ignore', 'ignore', 'inherit'] });
}

function judge(url) {
  console.error(`conformance: ${url}`);
  const args = ['check', '--json', '--insecure', '--seconds', String(SECONDS), url];
  return new Promise((resolve, reject) => {
    // It exits with 1 when a rule is broken: that is a report too.
    execFile(join(folder, 'touchline-loadtest'), args, { maxBuffer: 1 << 26 }, (error, stdout, stderr) => {
      if (stdout) resolve(JSON.parse(stdout));
      else reject(new Error(`${url}: ${stderr}`, { cause: error }));
    });
  });
}

async function end(child) {
  if (child.exitCode !== null || child.signalCode !== null) return;
  const over = once(child, 'exit');
  child.kill('SIGTERM');
  await over;
}

function sleep(ms) {
  return new Promise((resolve) => setTimeout(resolve, ms));
}

/** The reports side by side, and what was found fault with in words. */
function page(columns) {
  const shown = { pass: 'pass', warn: '**warn**', fail: '**FAIL**', 'not-seen': '-' };
  const count = (report, verdict) => report.findings.filter((finding) => finding.verdict === verdict).length;
  const head = ['rule', 'level', 'section', ...columns.map(({ name }) => name)];
  const totals = ['fail', 'warn', 'pass', 'not-seen'].map((verdict) => [
    `${verdict}, in all`, '', '', ...columns.map(({ report }) => count(report, verdict)),
  ]);
  const rules = columns[0].report.findings.map(({ id, level, section }) => [
    `\`${id}\``, level, section,
    ...columns.map(({ report }) => shown[report.findings.find((finding) => finding.id === id).verdict]),
  ]);
  const row = (cells) => `| ${cells.join(' | ')} |`;
  const words = columns.flatMap(({ name, report }) =>
    report.findings
      .filter(({ verdict }) => verdict === 'fail' || verdict === 'warn')
      .map(({ id, verdict, evidence, more }) => `- ${name}, \`${id}\`, ${verdict}: ${evidence}${more ? ` (and ${more} more)` : ''}`),
  );
  const table = [row(head), row(head.map(() => '---')), ...totals.map(row), ...rules.map(row)];
  return `${INTRODUCTION}\n${table.join('\n')}\n\n## What was found\n\n${words.join('\n') || 'Nothing.'}`;
}
