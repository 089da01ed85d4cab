// Serves the pages that players are tried on, from files of this tree: no bundle, so that the player is the one installed.

import { createServer } from 'node:http';
import { readFile } from 'node:fs/promises';
import { once } from 'node:events';

const file = (path) => new URL(`../../${path}`, import.meta.url);
const FILES = new Map([
  ['/meter.js', file('e2e/players/meter.js')],
  ['/hls.js', file('e2e/players/hls.js')],
  ['/shaka.js', file('e2e/players/shaka.js')],
  ['/vendor/hls.mjs', file('node_modules/hls.js/dist/hls.mjs')],
  ['/vendor/shaka.js', file('node_modules/shaka-player/dist/shaka-player.hls.js')],
]);

/** The watch page's own player runs with an hls.js whose instance can be reached: `hls.js` is what the page imports. */
const page = (player) => `<!doctype html>
<script type="importmap">{ "imports": { "hls.js": "/hls.js" } }</script>
<video muted autoplay playsinline width="640" height="360"></video>
<script type="module">
  import { drive } from '/${player}.js';
  import { meter } from '/meter.js';
  window.ready = { drive, meter };
</script>`;

/** Starts the site. `of(player)` is the address of a player's page. */
export async function serveSite() {
  const server = createServer((request, response) => answer(request.url).then(
    ({ type, body }) => response.writeHead(200, { 'content-type': type }).end(body),
    () => response.writeHead(404).end(),
  ));
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  const origin = `http://127.0.0.1:${server.address().port}`;
  return {
    of: (player) => `${origin}/page/${player}`,
    stop: () => {
      server.closeAllConnections();
      server.close();
    },
  };
}

async function answer(path) {
  const [, player] = /^\/page\/(hls|shaka)$/.exec(path) ?? [];
  if (player) return { type: 'text/html', body: page(player) };
  const [, source] = /^\/src\/([\w-]+\.js)$/.exec(path) ?? [];
  const found = source ? file(`src/${source}`) : FILES.get(path);
  return { type: 'text/javascript', body: await readFile(found) };
}
