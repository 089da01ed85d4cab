// Builds src/ into dist/: pages, and assets whose names carry a hash of their content, so that they can be cached for ever.
// dist/manifest.json lists every file with its content type, for whoever serves them.

import { build } from 'esbuild';
import { mkdir, readFile, readdir, rm, writeFile } from 'node:fs/promises';
import { basename, extname, join } from 'node:path';
import { fileURLToPath } from 'node:url';

const ROOT = fileURLToPath(new URL('.', import.meta.url));
const DIST = join(ROOT, 'dist');
const PAGES = ['index.html', 'watch.html'];
const CONTENT_TYPES = {
  '.html': 'text/html; charset=utf-8',
  '.css': 'text/css; charset=utf-8',
  '.js': 'text/javascript; charset=utf-8',
};

await rm(DIST, { recursive: true, force: true });
await mkdir(DIST, { recursive: true });
const assets = await bundle();
for (const page of PAGES) await writePage(page, assets);
await writeManifest();

/** Bundles each page's script and style; returns the hashed name of each, by its plain name. */
async function bundle() {
  const { metafile } = await build({
    absWorkingDir: ROOT,
    entryPoints: PAGES.flatMap((page) => ['js', 'css'].map((kind) => `src/${basename(page, '.html')}.${kind}`)),
    entryNames: '[name]-[hash]',
    outdir: join(DIST, 'assets'),
    bundle: true,
    minify: true,
    format: 'esm',
    target: ['chrome100', 'firefox100', 'safari15.4'],
    legalComments: 'inline',
    metafile: true,
    logLevel: 'warning',
  });
  const outputs = Object.entries(metafile.outputs);
  return new Map(outputs.map(([path, output]) => [basename(output.entryPoint ?? ''), basename(path)]));
}

/** Copies a page with its `/assets/NAME` references replaced by the hashed names. */
async function writePage(page, assets) {
  const html = await readFile(join(ROOT, 'src', page), 'utf8');
  const linked = html.replace(/\/assets\/([\w.-]+)/g, (_, name) => {
    const hashed = assets.get(name);
    if (!hashed) throw new Error(`src/${page} refers to /assets/${name}, which is not built from src/`);
    return `/assets/${hashed}`;
  });
  await writeFile(join(DIST, page), linked);
}

async function writeManifest() {
  const names = [...PAGES, ...(await readdir(join(DIST, 'assets'))).sort().map((name) => `assets/${name}`)];
  const files = names.map((path) => ({ path, content_type: CONTENT_TYPES[extname(path)] }));
  await writeFile(join(DIST, 'manifest.json'), `${JSON.stringify({ files }, null, 2)}\n`);
  for (const { path } of files) {
    const { length } = await readFile(join(DIST, path));
    console.log(`${(length / 1024).toFixed(1).padStart(8)} kB  dist/${path}`);
  }
}
