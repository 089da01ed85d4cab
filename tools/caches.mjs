#!/usr/bin/env node
// A crowd in front of Touchline by way of caches: what reaches the server, how late parts come, and what it costs.
//
//   tools/caches.mjs target/release [--viewers 500] [--seconds 20] [--profile scale] [--only none,varnish] [--results FILE] [--write]
//
// --results keeps what was measured in FILE, and tells all that is in it, so that the table can be made in several runs; --write
// puts it into docs/caches.md. Needs ffmpeg, and what is measured:
//   tools/need ffmpeg:ffmpeg varnishd:varnish nginx:nginx-light traffic_server:trafficserver
// The machine should have nothing else to do: the page says how busy it was.

import { cp, mkdir, readFile, writeFile } from 'node:fs/promises';
import { cpus } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { parseArgs } from 'node:util';
import { answers, cpuSeconds, edge, encode, end, family, freePort, insert, metrics, need, publish, run, serve, sleep, start, table, temporary, until } from './server.mjs';

/** After the feed has begun, until the window is as long as it gets: 30 s are not needed, delta updates are. */
const LEAD_IN_MS = 15_000;
const RAMP_S = 5;
const PAGE = fileURLToPath(new URL('../docs/caches.md', import.meta.url));
const DEPLOY = fileURLToPath(new URL('../deploy/', import.meta.url));

const { values, positionals } = parseArgs({
  allowPositionals: true,
  options: {
    viewers: { type: 'string', default: '500' },
    seconds: { type: 'string', default: '20' },
    profile: { type: 'string', default: 'scale' },
    only: { type: 'string' },
    results: { type: 'string' },
    write: { type: 'boolean', default: false },
  },
});
const [binaries] = positionals;
const [viewers, seconds] = [Number(values.viewers), Number(values.seconds)];

/** What may stand in front. Each begins one before a server, and says where it listens and which processes it is. */
const FRONTS = {
  none: { name: 'nothing', begin: (server) => ({ url: server.watch, processes: [server.process] }) },
  edge: { name: '`touchline edge`', begin: touchlineEdge },
  varnish: { name: 'Varnish 7.1, `deploy/varnish`', begin: varnish },
  ats: { name: 'Traffic Server 9.2, `deploy/ats`', begin: trafficServer },
  nginx: { name: 'nginx 1.22, `deploy/nginx`: nothing is kept', begin: nginx },
  'nginx-keeps': { name: 'nginx 1.22, `proxy_cache`, no lock', begin: (...of) => nginxCache('off', ...of) },
  'nginx-locks': { name: 'nginx 1.22, `proxy_cache_lock on`', begin: (...of) => nginxCache('on', ...of) },
};
const chosen = values.only?.split(',') ?? Object.keys(FRONTS);
if (!binaries || !(viewers >= 1) || !(seconds >= 1) || !chosen.every((name) => FRONTS[name])) {
  console.error(`Usage: tools/caches.mjs FOLDER-OF-THE-BINARIES [--viewers N] [--seconds N] [--profile ultra|balanced|scale] [--only ${Object.keys(FRONTS).join(',')}] [--results FILE] [--write]`);
  process.exit(2);
}
await need(join(binaries, 'touchline'), join(binaries, 'touchline-loadtest'));

const kept = values.results ? await readFile(values.results, 'utf8').then(JSON.parse, () => []) : [];
const folder = await temporary('caches');
try {
  const file = await encode(folder.path, 30);
  for (const front of chosen) {
    console.error(`caches: ${viewers} viewers by way of ${FRONTS[front].name}, profile ${values.profile}`);
    const row = { front, viewers, profile: values.profile, seconds, ...(await measure(FRONTS[front], file)) };
    kept.splice(0, kept.length, ...kept.filter((old) => old.front !== front || old.viewers !== viewers || old.profile !== values.profile), row);
    if (values.results) await writeFile(values.results, JSON.stringify(kept, null, 2));
  }
  const told = page(kept);
  console.log(told);
  if (values.write) await insert(PAGE, 'crowd', told);
} finally {
  await folder.end();
}
process.exit(0);

async function measure({ begin }, file) {
  const server = await serve(binaries, folder.path, `[hls]\nprofile = "${values.profile}"\n`);
  const feed = publish(file, ['flv', `${server.rtmp}/main`]);
  await until('the channel is live', () => answers(`${server.watch}/live/main/index.m3u8`));
  const front = await begin(server);
  await until('what stands in front answers', () => answers(`${front.url}/live/main/index.m3u8`));
  await sleep(LEAD_IN_MS);
  const report = join(folder.path, `${crypto.randomUUID()}.json`);
  const pids = (await Promise.all(front.processes.map(({ pid }) => family(pid)))).flat();
  const [before, parts, cpu] = [await metrics(server), await newestParts(server), await cpuSeconds(server.process.pid)];
  const began = performance.now();
  await run(join(binaries, 'touchline-loadtest'), [
    'watch', `${front.url}/live/main/index.m3u8`, '--hints', '--viewers', viewers, '--ramp', `${RAMP_S}s`, '--duration', `${seconds}s`,
    '--report', report, ...pids.flatMap((pid) => ['--server-pid', pid]),
  ]);
  const took = (performance.now() - began) / 1_000;
  const [after, partsAfter, cpuAfter] = [await metrics(server), await newestParts(server), await cpuSeconds(server.process.pid)];
  const seen = JSON.parse(await readFile(report, 'utf8'));
  const made = partsAfter - parts;
  const answered = (kind) => sum(after, kind) - sum(before, kind);
  await end(feed, ...front.processes);
  await end(server.process);
  return {
    partRequests: answered('part') / made,
    playlistRequests: answered('playlist') / made,
    requests: seen.steady.counts.requests / seconds,
    p50: seen.steady.part.p50_ms,
    p99: seen.steady.part.p99_ms,
    p999: seen.steady.part.p999_ms,
    stalled: seen.people.stalled,
    troubles: Object.values(seen.whole.troubles).reduce((all, one) => all + one, 0),
    frontCpu: seen.server.cpu,
    frontCpuPerRequest: seen.server.cpu_us_per_request,
    serverCpu: (cpuAfter - cpu) / took,
    generatorLag: seen.generator.lag_p99_ms,
    busy: seen.machine_busy,
  };
}

/** Answers of a kind that a server has given. */
function sum(counted, kind) {
  return Object.entries(counted).filter(([series]) => series.startsWith(`touchline_edge_requests_total{kind="${kind}"`)).reduce((all, [, count]) => all + count, 0);
}

/** How many parts there have been, of all renditions together: their names are numbered. */
async function newestParts(server) {
  const ladder = await (await fetch(`${server.watch}/live/main/index.m3u8`)).text();
  const names = new Set([...ladder.matchAll(/([\w-]+)\/index\.m3u8/g)].map(([, name]) => name));
  const numbers = await Promise.all([...names].map(async (name) => {
    const playlist = await (await fetch(`${server.watch}/live/main/${name}/index.m3u8`)).text();
    return Number(/TYPE=PART,URI="part(\d+)-/.exec(playlist)[1]);
  }));
  return numbers.reduce((all, one) => all + one, 0);
}

/** A file of deploy/ in which each of these, which it has once, is replaced. */
async function edited(name, ...replacements) {
  let text = await readFile(join(DEPLOY, name), 'utf8');
  for (const [from, to] of replacements) {
    if (text.split(from).length !== 2) throw new Error(`deploy/${name} does not have ${from} once`);
    text = text.replace(from, to);
  }
  return text;
}

async function touchlineEdge(server) {
  const { process, watch } = await edge(binaries, [server]);
  return { url: watch, processes: [process] };
}

async function varnish(server) {
  const [port, work] = [await freePort(), join(folder.path, crypto.randomUUID())];
  await writeFile(`${work}.vcl`, await edited('varnish/touchline.vcl', ['.port = "8080"', `.port = "${new URL(server.watch).port}"`]));
  const settings = ['backend_idle_timeout=20', 'thread_pool_min=200', 'thread_pool_max=2500'].flatMap((setting) => ['-p', setting]);
  const child = start('varnishd', ['-F', '-T', 'none', '-n', work, '-f', `${work}.vcl`, '-s', 'malloc,512m', '-a', `127.0.0.1:${port},HTTP`, ...settings]);
  return { url: `http://127.0.0.1:${port}`, processes: [child] };
}

async function trafficServer(server) {
  const [port, root] = [await freePort(), join(folder.path, crypto.randomUUID())];
  const from = ['127.0.0.1:8080', new URL(server.watch).host];
  for (const name of ['etc', 'run', 'log', 'cache']) await mkdir(join(root, name), { recursive: true });
  const to = (name, text) => writeFile(join(root, 'etc', name), text);
  await to('records.config', await edited('ats/records.config', ['server_ports STRING 80\n', `server_ports STRING ${port}:ip-in=127.0.0.1\n`], ['user_id STRING trafficserver', 'user_id STRING #-1']));
  for (const name of ['remap.config', 'touchline.regex']) await to(name, (await readFile(join(DEPLOY, 'ats', name), 'utf8')).replaceAll(...from));
  await to('storage.config', `${join(root, 'cache')} 512M\n`);
  for (const name of ['body_factory', 'ip_allow.yaml']) await cp(join('/etc/trafficserver', name), join(root, 'etc', name), { recursive: true });
  const folders = { prefix: root, bindir: '/usr/bin', sbindir: '/usr/bin', sysconfdir: join(root, 'etc'), libexecdir: '/usr/lib/trafficserver/modules', localstatedir: join(root, 'run'), runtimedir: join(root, 'run'), logdir: join(root, 'log'), cachedir: join(root, 'cache'), datadir: root };
  await writeFile(join(root, 'runroot.yaml'), Object.entries(folders).map(([name, path]) => `${name}: ${path}\n`).join(''));
  const child = start('traffic_server', [`--run-root=${join(root, 'runroot.yaml')}`]);
  return { url: `http://127.0.0.1:${port}`, processes: [child] };
}

async function nginx(server) {
  const port = await freePort();
  const conf = await edited(
    'nginx/nginx.conf',
    ['server 127.0.0.1:8080;', `server ${new URL(server.watch).host};`],
    ['listen 80 backlog', `listen 127.0.0.1:${port} backlog`],
    ['        listen 443 ssl http2 backlog=4096;\n        ssl_certificate live.pem;\n        ssl_certificate_key live.key;\n', ''],
  );
  return nginxWith(conf, port);
}

/** What deploy/nginx is not, and why: it keeps what it fetches, and lets one fetch for all. */
async function nginxCache(lock, server) {
  const port = await freePort();
  const conf = `pid nginx.pid;
error_log stderr crit;
worker_processes auto;
events { worker_connections 8192; }
http {
  access_log off;
  proxy_cache_path kept keys_zone=live:16m max_size=512m use_temp_path=off;
  proxy_temp_path temp; client_body_temp_path body; fastcgi_temp_path f; uwsgi_temp_path u; scgi_temp_path s;
  upstream touchline { server ${new URL(server.watch).host}; keepalive 1024; keepalive_requests 1000000; keepalive_timeout 20s; }
  server {
    listen 127.0.0.1:${port} backlog=4096;
    keepalive_requests 1000000;
    location / {
      proxy_pass http://touchline; proxy_http_version 1.1; proxy_set_header Connection "";
      proxy_cache live; proxy_cache_key $request_uri; proxy_read_timeout 30s;
      proxy_cache_lock ${lock}; proxy_cache_lock_timeout 30s; proxy_cache_lock_age 30s;
    }
  }
}
`;
  return nginxWith(conf, port);
}

async function nginxWith(conf, port) {
  const prefix = join(folder.path, crypto.randomUUID());
  await mkdir(prefix);
  await writeFile(join(prefix, 'nginx.conf'), conf);
  const child = start('nginx', ['-p', prefix, '-c', join(prefix, 'nginx.conf'), '-g', 'daemon off; user root;']);
  return { url: `http://127.0.0.1:${port}`, processes: [child] };
}

function page(rows) {
  const head = ['in front of the server', 'profile', 'asks it for each part', 'for playlists, each part', 'parts late, ms: p50, p99, p99.9', 'stalled', 'failed', 'requests/s', 'CPU for each, us', 'CPU of the server', 'machine busy'];
  const order = Object.keys(FRONTS);
  const sorted = rows.toSorted((a, b) => b.profile.localeCompare(a.profile) || order.indexOf(a.front) - order.indexOf(b.front));
  const body = sorted.map((row) => [
    FRONTS[row.front].name,
    row.profile,
    row.partRequests.toFixed(2),
    row.playlistRequests.toFixed(2),
    [row.p50, row.p99, row.p999].map((ms) => ms.toFixed(0)).join(', '),
    `${row.stalled} of ${row.viewers}`,
    row.troubles,
    row.requests.toFixed(0),
    row.frontCpuPerRequest.toFixed(0),
    `${(row.serverCpu * 100).toFixed(0)} %`,
    `${(row.busy * 100).toFixed(0)} %`,
  ]);
  return `${table(head, body)}\n\n${cpus().length} processors (${cpus()[0].model}), all on one machine.`;
}
