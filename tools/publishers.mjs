#!/usr/bin/env node
// Publishes with every client by every protocol and codec, reads each back through HLS, and counts: docs/publishers.md is what it
// prints.
//
//   tools/publishers.mjs target/release [--seconds 10] [--only PATTERN] [--aiortc DIR/bin/python] > docs/publishers.md
//
// Needs ffmpeg 5.1 and 9 (tools/ffmpeg-9), GStreamer, srt-live-transmit, Chromium, and for its rows OBS with Xvfb, and aiortc:
//   tools/need ffmpeg:ffmpeg gst-launch-1.0:gstreamer1.0-tools gstreamer1.0-plugins-bad srt-live-transmit:srt-tools chromium:chromium \
//     obs:obs-studio Xvfb:xvfb
//   python3 -m venv DIR && DIR/bin/pip install aiortc==1.16.0
// Without OBS or aiortc, their rows say that they were not tried.

import { access } from 'node:fs/promises';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { parseArgs } from 'node:util';

import { clients } from './publishers/clients.mjs';
import { decode, ended } from './reader.mjs';
import { end, metrics, need, run, serve, table, temporary } from './server.mjs';
import { openBrowser } from './whip/page.mjs';

const HERE = fileURLToPath(new URL('.', import.meta.url));
/** Channels end with their publishers, and keep all of them. */
const CONFIG = '[channels]\ngrace = "0s"\n[hls]\nwindow = "90s"\n';

const { values, positionals } = parseArgs({
  allowPositionals: true,
  options: { seconds: { type: 'string', default: '10' }, only: { type: 'string', default: '' }, aiortc: { type: 'string' } },
});
const [binaries] = positionals;
const seconds = Number(values.seconds);
if (!binaries || !(seconds >= 3)) {
  console.error('Usage: tools/publishers.mjs FOLDER-OF-THE-BINARIES [--seconds N, 3 or more] [--only PATTERN] [--aiortc PYTHON]');
  process.exit(2);
}
await need(join(binaries, 'touchline'), join(binaries, 'touchline-transcode'));
const ffmpeg9 = (await run(join(HERE, 'ffmpeg-9'), [])).trim();
const obs = await access('/usr/bin/obs').then(() => true, () => false);
const chosen = clients.filter(({ protocol, client, sends }) => new RegExp(values.only, 'i').test(`${protocol} ${client} ${sends}`));

const folder = await temporary('publishers');
let opened;
const browser = () => (opened ??= openBrowser());
const rows = [];
try {
  for (const one of chosen) {
    console.error(`publishers: ${one.client} by ${one.protocol}: ${one.sends}`);
    rows.push([one.protocol, one.client, one.sends, ...(await tried(one))]);
  }
} finally {
  await (await opened)?.close();
  await folder.end();
}
console.log(page(rows));
process.exit(0);

/** Publishes, reads, and tells what of it came. */
async function tried({ publish, missing, tracks = 1 }) {
  const server = await serve(binaries, folder.path, CONFIG);
  const stage = { server, seconds, ffmpeg9, aiortc: values.aiortc, obs, browser };
  try {
    if (missing?.(stage)) return ['-', '-', '-', '-', 'not tried: it is not here'];
    await publish(stage);
    await ended(server.watch, 'main');
    const counted = await metrics(server);
    const count = (name) => counted[`touchline_ingest_${name}`] ?? 0;
    const [pictures, sounds] = ['video', 'audio'].map((kind) => count(`units_total{kind="${kind}"}`));
    const dropped = Object.entries(counted).filter(([name]) => name.startsWith('touchline_ingest_dropped_units_total'));
    const readings = [];
    for (const program of ['ffmpeg', ffmpeg9]) readings.push(await decode(program, `${server.watch}/live/main/index.m3u8`));
    const remarks = [
      ...dropped.map(([name, units]) => `${units} dropped: ${/reason="(\w+)"/.exec(name)?.[1]}`),
      ...readings.flatMap(({ said }, index) => (said.length > 0 ? [`ffmpeg ${[5.1, 9][index]} has ${said.length} complaints: ${said[0]}`] : [])),
    ];
    if (remarks.length > 0) console.error(remarks, server.process.said);
    // Pictures that are listed once for each form of their sound are read as often, by some.
    const whole = ({ video }) => video.length >= tracks && video.every((frames) => frames * tracks === pictures);
    const clean = remarks.length === 0 && readings.every(whole);
    return [pictures, ...readings.map(({ video }) => video.join(' + ')), `${sounds}: ${readings[0].audio.join(', ')}`, [clean ? 'clean' : 'NOT clean', ...remarks].join('; ')];
  } catch (error) {
    return ['-', '-', '-', '-', `FAILED: ${error.message.split('\n')[0]} ${error.stderr ?? ''} ${server.process.said.split('\n').slice(-3).join(' ')}`.trim()];
  } finally {
    await end(server.process);
  }
}

function page(rows) {
  return `# Publishers

Every client by every protocol and codec, read back through HLS by ffmpeg 5.1 and 9. Made by \`tools/publishers.mjs\`: ${seconds} s each (25 s of
Chromium, which begins small and climbs), passed through, with the worker that makes AAC of Opus.

*Pictures in* are access units as the server has counted them; the next columns are how many frames ffmpeg has decoded of the channel from its
first segment to its end. *Sound* is access units in, and what ffmpeg 5.1 has decoded of each rendition of sound: that which is over before the first
picture is left out, and Opus comes as AAC as well. *Clean*: all pictures decoded by both, nothing dropped, and not one complaint of ffmpeg's (but
for \`Found duplicated MOOV Atom\`, which it has of every live list with init sections, and what it says of pictures with the full range of
values). ffmpeg 5.1 reads pictures once for each form of their sound.

${table(['protocol', 'client', 'sends', 'pictures in', 'ffmpeg 5.1', 'ffmpeg 9', 'sound: in, decoded', ''], rows)}`;
}
