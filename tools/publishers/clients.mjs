// Every client that publishes, with what it sends: ten seconds or so of 640x360 at 30 pictures a second, and a tone.

import { once } from 'node:events';
import { createSocket } from 'node:dgram';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';

import { run, sleep, srtUrl, start, end } from '../server.mjs';
import { publishPage } from '../whip/page.mjs';

const HERE = fileURLToPath(new URL('.', import.meta.url));
const SIZE = { width: 640, height: 360 };
/** Browsers begin small and climb: it takes them longer to be where they want to be. */
const BROWSER_SECONDS = 25;
/** A browser is shown 720p, so that it has something to climb to. */
const BROWSER_SIZE = { width: 1280, height: 720 };
/** For what is on its way between two programs. */
const DRAIN_MS = 1_000;

const H264 = '-c:v libx264 -preset veryfast -pix_fmt yuv420p -g 60';
const BASELINE = `${H264} -profile:v baseline -bf 0`;
const HEVC = '-c:v libx265 -preset ultrafast -x265-params log-level=error -pix_fmt yuv420p -g 60';
const AV1 = '-c:v libsvtav1 -preset 12 -pix_fmt yuv420p -g 60 -svtav1-params lookahead=0';
const AAC = '-c:a aac -b:a 128k';
const OPUS = '-c:a libopus -b:a 96k -ac 2';

/**
 * @typedef {object} Stage what clients need
 * @property {{ watch: string, rtmp: string, srt: string }} server
 * @property {number} seconds
 * @property {string} ffmpeg9
 * @property {string | undefined} aiortc the Python that has it
 * @property {boolean} obs
 * @property {() => Promise<import('playwright-core').Browser>} browser
 *
 * @typedef {object} Client
 * @property {'RTMP' | 'SRT' | 'WHIP'} protocol
 * @property {string} client
 * @property {string} sends
 * @property {number} [tracks] of pictures; one, unless given
 * @property {(stage: Stage) => boolean} [missing] whether the machine lacks it
 * @property {(stage: Stage) => Promise<unknown>} publish into the channel `main`, from beginning to end
 */

/** @type {Client[]} */
export const clients = [
  ...['RTMP', 'SRT'].map((protocol) => ({ protocol, client: 'ffmpeg 5.1', sends: 'H.264, AAC', publish: ffmpeg5(protocol, `${H264} ${AAC}`) })),
  ffmpeg9('RTMP', 'H.264, AAC', `${H264} ${AAC}`),
  ffmpeg9('RTMP', 'HEVC, AAC', `${HEVC} ${AAC}`),
  ffmpeg9('RTMP', 'AV1, AAC', `${AV1} ${AAC}`),
  ffmpeg9('RTMP', 'H.264, Opus', `${H264} ${OPUS}`),
  ffmpeg9('RTMP', 'AV1, Opus', `${AV1} ${OPUS}`),
  { ...ffmpeg9('RTMP', 'H.264 twice, AAC twice', `-map 0:v -map 0:v -map 1:a -map 1:a ${H264} -s:v:1 320x180 ${AAC}`), tracks: 2 },
  gstreamer('RTMP', 'rtmp2sink', 'flvmux streamable=true name=mux', ({ server }) => `rtmp2sink location=${server.rtmp}/main`),
  gstreamer('RTMP', 'rtmpsink', 'flvmux streamable=true name=mux', ({ server }) => `rtmpsink location=${server.rtmp}/main`),
  obs('RTMP', ({ server }) => `${server.rtmp}/main`),
  ffmpeg9('SRT', 'H.264, AAC', `${H264} ${AAC}`),
  ffmpeg9('SRT', 'HEVC, AAC', `${HEVC} ${AAC}`),
  ffmpeg9('SRT', 'H.264, Opus', `${H264} ${OPUS}`),
  ffmpeg9('SRT', 'HEVC, Opus', `${HEVC} ${OPUS}`),
  gstreamer('SRT', 'srtsink', 'mpegtsmux alignment=7 name=mux', ({ server }) => `srtsink uri=srt://${server.srt}?streamid=publish:main`),
  { protocol: 'SRT', client: 'srt-live-transmit', sends: 'H.264, AAC', publish: liveTransmit },
  obs('SRT', ({ server }) => srtUrl(server.srt, 'publish:main')),
  ffmpeg9('WHIP', 'H.264, Opus', `${BASELINE} ${OPUS}`),
  { ...ffmpeg9('WHIP', 'H.264, Opus', `${BASELINE} ${OPUS} -whip_flags dtls_active`), client: 'ffmpeg 9, active in DTLS' },
  { protocol: 'WHIP', client: 'aiortc 1.16', sends: 'H.264, Opus', missing: ({ aiortc }) => !aiortc, publish: aiortc },
  chromium('camera', 'H.264'),
  chromium('canvas', 'H.264'),
  chromium('screen', 'H.264'),
  chromium('canvas', 'AV1'),
];

function address({ server }, protocol) {
  return {
    RTMP: ['flv', `${server.rtmp}/main`],
    SRT: ['mpegts', `${srtUrl(server.srt, 'publish:main')}&linger=2`],
    WHIP: ['whip', `${server.watch}/whip/main`],
  }[protocol];
}

function ffmpeg(program, stage, protocol, codecs) {
  const source = ['-re', '-f', 'lavfi', '-i', `testsrc2=size=${SIZE.width}x${SIZE.height}:rate=30`, '-re', '-f', 'lavfi', '-i', 'sine=sample_rate=48000'];
  const [format, url] = address(stage, protocol);
  return run(program, ['-v', 'error', '-nostdin', ...source, '-t', stage.seconds, ...codecs.split(' '), '-f', format, url]);
}

function ffmpeg5(protocol, codecs) {
  return (stage) => ffmpeg('ffmpeg', stage, protocol, codecs);
}

function ffmpeg9(protocol, sends, codecs) {
  return { protocol, client: 'ffmpeg 9', sends, publish: (stage) => ffmpeg(stage.ffmpeg9, stage, protocol, codecs) };
}

function gstreamer(protocol, client, mux, sink) {
  const publish = (stage) => {
    const pictures = `videotestsrc is-live=true num-buffers=${stage.seconds * 30} ! video/x-raw,width=${SIZE.width},height=${SIZE.height},framerate=30/1 `
      + '! x264enc tune=zerolatency key-int-max=60 ! h264parse ! queue ! mux.';
    const sound = `audiotestsrc is-live=true samplesperbuffer=960 num-buffers=${stage.seconds * 50} ! audio/x-raw,rate=48000,channels=2 ! avenc_aac ! aacparse ! queue ! mux.`;
    return run('gst-launch-1.0', ['-e', '-q', ...`${mux} ! ${sink(stage)} ${pictures} ${sound}`.split(' ')]);
  };
  return { protocol, client: `GStreamer ${client}`, sends: 'H.264, AAC', publish };
}

function obs(protocol, url) {
  const publish = (stage) => run('python3', [join(HERE, '../../fixtures/obs.py'), url(stage), stage.seconds]);
  return { protocol, client: 'OBS 29', sends: 'H.264, AAC', missing: (stage) => !stage.obs, publish };
}

/** What ffmpeg sends to a UDP port, sent on by SRT. */
async function liveTransmit({ server, seconds }) {
  const socket = createSocket('udp4');
  socket.bind(0, '127.0.0.1');
  await once(socket, 'listening');
  const { port } = socket.address();
  socket.close();
  const relay = start('srt-live-transmit', ['-q', '-chunk:1316', `udp://127.0.0.1:${port}`, srtUrl(server.srt, 'publish:main')]);
  await sleep(DRAIN_MS);
  const source = ['-re', '-f', 'lavfi', '-i', 'testsrc2=size=640x360:rate=30', '-re', '-f', 'lavfi', '-i', 'sine=sample_rate=48000', '-t', seconds];
  await run('ffmpeg', ['-v', 'error', '-nostdin', ...source, ...`${H264} ${AAC}`.split(' '), '-f', 'mpegts', `udp://127.0.0.1:${port}?pkt_size=1316`]);
  await sleep(DRAIN_MS);
  await end(relay);
}

function aiortc({ server, aiortc: python, seconds }) {
  return run(python, [join(HERE, '../whip/aiortc-whip.py'), `${server.watch}/whip/main`, seconds]);
}

function chromium(source, codec) {
  const publish = async ({ server, browser }) => {
    const page = await publishPage(await browser(), server.watch, 'main', source, codec === 'AV1' ? SIZE : BROWSER_SIZE, codec);
    await sleep(BROWSER_SECONDS * 1_000);
    return page.end();
  };
  return { protocol: 'WHIP', client: `Chromium, ${source}`, sends: `${codec}, Opus`, publish };
}
