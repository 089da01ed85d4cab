// A way to a server's WHIP endpoint by which media takes another: answers name the relay's port in place of the server's.

import { once } from 'node:events';
import { createServer, request } from 'node:http';

/**
 * Passes HTTP on to `server`, and has publishers send their media to `port`, by UDP alone.
 *
 * @param {{ watch: string, webrtc: number }} server
 * @param {number} port
 */
export async function detour({ watch, webrtc }, port) {
  const sessions = [];
  const passing = createServer(async (incoming, outgoing) => {
    const session = { asked: performance.now(), offer: (await whole(incoming)).toString() };
    const onward = request(`${watch}${incoming.url}`, { method: incoming.method, headers: incoming.headers }, async (answer) => {
      const body = await whole(answer);
      if (answer.statusCode === 201) sessions.push({ ...session, answer: body.toString() });
      const isSdp = /^application\/(sdp|trickle-ice-sdpfrag)$/.test(answer.headers['content-type'] ?? '');
      const text = isSdp ? Buffer.from(redirected(body.toString(), webrtc, port)) : body;
      outgoing.writeHead(answer.statusCode, { ...answer.headers, 'content-length': text.length });
      outgoing.end(text);
    });
    onward.on('error', () => outgoing.destroy());
    onward.end(session.offer);
  }).listen(0, '127.0.0.1');
  await once(passing, 'listening');
  return {
    origin: `http://127.0.0.1:${passing.address().port}`,
    /** Sessions that were arranged: offer, answer, and when they were asked for, in milliseconds as `performance.now` has them. */
    sessions,
    end: () => passing.close(),
  };
}

async function whole(message) {
  const chunks = [];
  for await (const chunk of message) chunks.push(chunk);
  return Buffer.concat(chunks);
}

/** Candidates (RFC 8839 5.1) of the relay. */
function redirected(sdp, from, to) {
  const lines = sdp.split('\r\n').filter((line) => !/^a=candidate:\S+ \d+ tcp /.test(line));
  return lines.map((line) => line.replace(new RegExp(`^(a=candidate:.* )${from}( typ )`), `$1${to}$2`)).join('\r\n');
}
