// Builds src/ into dist/: pages, and assets whose names carry a hash of their content, so that they can be cached for ever.
// The server embeds all of dist/.

import { build } from 'esbuild';
import { mkdir, readFile, readdir, rm, stat, writeFile } from 'node:fs/promises';
import { basename, join } from 'node:path';
import { fileURLToPath } from 'node:url';

const ROOT = fileURLToPath(new URL('.', import.meta.url));
const DIST = join(ROOT, 'dist');
const PAGES = ['index.html', 'watch.html', 'publish.html', 'desk.html'];

await rm(DIST, { recursive: true, force: true });
await mkdir(DIST, { recursive: true });
const assets = await bundle();
for (const page of PAGES) await writePage(page, assets);
await report();

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

/** Says what was built, and how large it is. */
async function report() {
  const assets = (await readdir(join(DIST, 'assets'))).sort().map((name) => `assets/${name}`);
  for (const path of [...PAGES, ...assets]) {
    const { size } = await stat(join(DIST, path));
    console.log(`${(size / 1024).toFixed(1).padStart(8)} kB  dist/${path}`);
  }
}
