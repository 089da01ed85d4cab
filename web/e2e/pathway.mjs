// A way to a server that counts what goes by it: what a CDN is to its viewers.

import { createServer, request } from 'node:http';

/**
 * Listens on a port of its own and passes on whatever is asked, once there is a server to ask.
 *
 * @returns {Promise<Pathway>}
 *
 * @typedef {object} Pathway
 * @property {string} base its address, with a slash at the end
 * @property {string[]} asked the paths that were asked for
 * @property {(server: string) => void} lead where it leads from now on: an address without a slash at the end
 * @property {() => void} stop
 */
export async function startPathway() {
  /** @type {string} */ let target = '';
  /** @type {string[]} */ const asked = [];
  const proxy = createServer((from, to) => {
    asked.push(from.url ?? '');
    const onward = request(target + from.url, { method: from.method, headers: from.headers }, (answer) => {
      to.writeHead(answer.statusCode ?? 502, answer.headers);
      answer.pipe(to);
    });
    // Who goes before the answer comes wants it no more.
    to.on('close', () => onward.destroy());
    onward.on('error', () => to.destroy());
    from.pipe(onward);
  });
  await new Promise((resolve) => proxy.listen(0, '127.0.0.1', () => resolve(undefined)));
  const { port } = /** @type {import('node:net').AddressInfo} */ (proxy.address());
  return {
    base: `http://127.0.0.1:${port}/`,
    asked,
    lead: (server) => (target = server),
    stop: () => {
      proxy.close();
      proxy.closeAllConnections();
    },
  };
}
