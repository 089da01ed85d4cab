// What the publish page says, sends and reads, apart from browser and server.

import assert from 'node:assert/strict';
import { test } from 'node:test';

import { isFinal, pauseAfter } from '../src/broadcast.js';
import { channelOf } from '../src/channel.js';
import { figuresOf } from '../src/feed-health.js';
import { captureWords, failureWords, unavailableWords } from '../src/publish-words.js';
import { fragment, preferred, withIce } from '../src/sdp.js';
import { Refusal, linksOf, publish } from '../src/whip.js';

const lines = (...all) => all.join('\r\n') + '\r\n';

test('a publish page knows its channel from its address', () => {
  assert.equal(channelOf('/publish/main'), 'main');
});

test('links of a server are read, with quotation marks and commas in them', () => {
  const header =
    '</whip/main/1/health>; rel="status", <stun:a.test>; rel=ice-server, ' +
    '<turn:b.test?transport=udp>; rel="ice-server"; username="u,<1>"; credential="a\\"b\\\\c"; credential-type="password"';
  assert.deepEqual(linksOf(header), [
    { target: '/whip/main/1/health', rel: 'status' },
    { target: 'stun:a.test', rel: 'ice-server' },
    { target: 'turn:b.test?transport=udp', rel: 'ice-server', username: 'u,<1>', credential: 'a"b\\c', 'credential-type': 'password' },
  ]);
  assert.deepEqual(linksOf(''), []);
});

test('the fragment of an offer has the ICE part of its first medium alone', () => {
  const offer = lines(
    'v=0', 'o=- 1 2 IN IP4 127.0.0.1', 's=-', 't=0 0', 'a=group:BUNDLE 0 1', 'a=ice-options:trickle',
    'm=video 9 UDP/TLS/RTP/SAVPF 96', 'c=IN IP4 0.0.0.0', 'a=mid:0', 'a=ice-ufrag:new', 'a=ice-pwd:0123456789012345678901',
    'a=candidate:1 1 udp 1 192.0.2.1 9 typ host', 'a=rtpmap:96 H264/90000',
    'm=audio 9 UDP/TLS/RTP/SAVPF 111', 'a=mid:1', 'a=ice-ufrag:new', 'a=ice-pwd:0123456789012345678901',
  );
  assert.equal(
    fragment(offer),
    lines(
      'a=group:BUNDLE 0 1', 'a=ice-options:trickle', 'm=video 9 UDP/TLS/RTP/SAVPF 96', 'a=mid:0', 'a=ice-ufrag:new',
      'a=ice-pwd:0123456789012345678901', 'a=candidate:1 1 udp 1 192.0.2.1 9 typ host',
    ),
  );
});

test('after an ICE restart an answer has the credentials and candidates of the server’s fragment', () => {
  const answer = lines(
    'v=0', 'm=video 9 UDP/TLS/RTP/SAVPF 96', 'a=ice-ufrag:old', 'a=ice-pwd:old-password', 'a=candidate:1 1 udp 1 192.0.2.1 1 typ host', 'a=recvonly',
    'm=audio 9 UDP/TLS/RTP/SAVPF 111', 'a=ice-ufrag:old', 'a=ice-pwd:old-password', 'a=recvonly',
  );
  const candidate = 'a=candidate:2 1 udp 2 192.0.2.2 2 typ host';
  assert.equal(
    withIce(answer, lines('a=ice-lite', 'm=video 9 UDP/TLS/RTP/SAVPF 96', 'a=ice-ufrag:new', 'a=ice-pwd:new-password', candidate)),
    lines(
      'v=0', 'm=video 9 UDP/TLS/RTP/SAVPF 96', 'a=ice-ufrag:new', 'a=ice-pwd:new-password', candidate, 'a=recvonly',
      'm=audio 9 UDP/TLS/RTP/SAVPF 111', 'a=ice-ufrag:new', 'a=ice-pwd:new-password', candidate, 'a=recvonly',
    ),
  );
  const same = withIce(answer, lines('a=ice-ufrag:new', 'a=ice-pwd:new-password'));
  assert.ok(same.includes('192.0.2.1 1 typ host'), 'without candidates the old ones hold');
  assert.throws(() => withIce(answer, lines('a=ice-ufrag:new')), /no credentials/);
});

test('H.264 is offered first, what no HLS player knows not at all', () => {
  const codec = (mimeType, sdpFmtpLine) => ({ mimeType, sdpFmtpLine });
  const [vp8, vp9, av1, rtx] = ['video/VP8', 'video/VP9', 'video/AV1', 'video/rtx'].map((type) => codec(type));
  const [single, whole] = [0, 1].map((mode) => codec('video/H264', `level-asymmetry-allowed=1;packetization-mode=${mode};profile-level-id=42e01f`));
  assert.deepEqual(preferred([vp8, rtx, vp9, av1, single, whole]), [whole, single, av1, rtx]);
  assert.deepEqual(preferred([vp8, rtx]), [vp8, rtx], 'the server says in words what it misses');
});

test('the key goes with each request, and never into an address', async (context) => {
  const asked = [];
  const headers = { Location: '/whip/main/1', ETag: '"1"', Link: '</whip/main/1/health>; rel="status", <stun:a.test>; rel="ice-server"' };
  context.mock.method(globalThis, 'fetch', async (url, { method, headers: sent, body }) => {
    asked.push([method ?? 'GET', new URL(url, 'http://server.test').href, sent.get('Authorization'), body]);
    return method === 'POST' ? new Response('the answer', { status: 201, headers }) : Response.json({ tracks: [] });
  });
  globalThis.location = new URL('http://server.test/publish/main');
  const session = await publish('/whip/main', 'secret', 'the offer');
  assert.deepEqual([session.answer, session.iceServers], ['the answer', [{ urls: 'stun:a.test' }]]);
  assert.deepEqual(await session.health(), { tracks: [] });
  session.leave();
  assert.deepEqual(asked, [
    ['POST', 'http://server.test/whip/main', 'Bearer secret', 'the offer'],
    ['GET', 'http://server.test/whip/main/1/health', 'Bearer secret', undefined],
    ['DELETE', 'http://server.test/whip/main/1', 'Bearer secret', undefined],
  ]);
});

test('a refusal has the words of the server, no answer has none', async (context) => {
  const answers = [Response.json({ detail: 'channel main: taken' }, { status: 409 }), new Response('<html>', { status: 502 }), null];
  context.mock.method(globalThis, 'fetch', async () => answers.shift() ?? Promise.reject(new TypeError('Failed to fetch')));
  globalThis.location = new URL('http://server.test/publish/main');
  const refused = async () => {
    const error = await publish('/whip/main', '', '').catch((reason) => reason);
    assert.ok(error instanceof Refusal);
    return [error.status, error.words];
  };
  assert.deepEqual(await refused(), [409, 'channel main: taken']);
  assert.deepEqual(await refused(), [502, '']);
  assert.deepEqual(await refused(), [0, '']);
});

test('what no second try changes is not tried again; who was live is more patient', () => {
  const final = (hasBeenLive) =>
    [400, 401, 404, 408, 409, 422, 429, 500, 503].filter((status) => isFinal({ kind: 'refused', status }, hasBeenLive));
  assert.deepEqual(final(false), [400, 401, 404, 409, 422]);
  assert.deepEqual(final(true), [400, 401, 404, 422]);
  for (const kind of ['unreachable', 'lost', 'ended']) assert.equal(isFinal({ kind }, false), false, kind);
  assert.deepEqual([isFinal({ kind: 'blocked' }, false), isFinal({ kind: 'blocked' }, true)], [true, false]);
});

test('pauses grow, up to a limit, and are not the same for all', () => {
  assert.deepEqual([1, 2, 3, 4, 5, 50].map((failures) => pauseAfter(failures, 0.5)), [1000, 2000, 4000, 8000, 15000, 15000]);
  assert.deepEqual([0, 1].map((random) => Math.round(pauseAfter(1, random))), [700, 1300]);
});

test('the figures are those of the server, with what is bad for viewers marked', () => {
  const video = { kind: 'video', codec: 'avc1.42e01f', width: 1280, height: 720, samples_per_second: 29.97, keyframe_interval_seconds: 2 };
  const link = { received_packets: 9_980, lost_packets: 20, round_trip_seconds: 0.0234 };
  const report = { bits_per_second: 3_120_000, gaps: 1, discarded_samples: 3, audio_video_drift_milliseconds: -12, tracks: [video], link };
  assert.deepEqual(figuresOf(report), {
    bitrate: ['3.12', 'Mb/s'],
    frameRate: ['30.0', '/ s'],
    picture: ['1280×720', 'H.264'],
    keyframes: ['2.0', 's', false],
    loss: ['20', '0.20 %', true],
    roundTrip: ['23', 'ms'],
    gaps: ['1, 3', '', true],
    drift: ['-12', 'ms', false],
  });
  const nothing = { bits_per_second: 0, gaps: 0, discarded_samples: 0, audio_video_drift_milliseconds: null, tracks: [], link: {} };
  assert.deepEqual(figuresOf(nothing), {}, 'nothing has come yet');
});

test('every failure is told with what to do next', () => {
  const insecure = { isSecureContext: false, location: { host: 'studio.test:8080', pathname: '/publish/main' } };
  assert.match(unavailableWords(insecure).text, /http:\/\/studio\.test:8080 is none.*http:\/\/localhost:PORT\/publish\/main/);
  assert.match(unavailableWords({ ...insecure, isSecureContext: true }).text, /Any current browser/);
  const named = (name) => Object.assign(new Error('as the browser has it'), { name });
  const titles = ['NotAllowedError', 'NotFoundError', 'NotReadableError', 'OverconstrainedError', 'SomethingError'].map((name) => captureWords(named(name), 'camera').title);
  assert.equal(new Set(titles).size, 5);
  assert.notEqual(captureWords(named('NotAllowedError'), 'screen').title, titles[0]);
  const kinds = ['unreachable', 'blocked', 'lost', 'ended'].map((kind) => ({ kind }));
  const statuses = [401, 404, 422, 409, 503, 500].map((status) => ({ kind: 'refused', status, words: 'as the server has it' }));
  const words = [...kinds, ...statuses].map((failure) => failureWords(failure, 'main'));
  assert.equal(new Set(words.map(({ title }) => title)).size, 10);
  assert.ok(words.every(({ text }) => text.length > 20));
  assert.equal(words.at(-1).text, 'The server says: as the server has it.');
  assert.match(failureWords({ kind: 'refused', status: 418 }, 'main').text, /no reason/);
});
