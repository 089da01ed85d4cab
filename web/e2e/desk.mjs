// Pictures of the event desk as it is: `node e2e/desk.mjs http://127.0.0.1:9090/ FOLDER [VIEW ...]`.

import { mkdir } from 'node:fs/promises';
import { join } from 'node:path';

import { launch } from './browser.mjs';

const SIZES = { phone: [360, 780], desk: [1440, 900], wall: [3840, 2160] };
const VIEWS = ['wall', 'feeds', 'ladder', 'fleet', 'hints', 'timeline'];

const [url, folder, ...views] = process.argv.slice(2);
if (!url || !folder) throw new Error('Usage: node e2e/desk.mjs URL FOLDER [VIEW ...], for example http://127.0.0.1:9090/ shots');
await mkdir(folder, { recursive: true });
const browser = await launch();
for (const [name, [width, height]] of Object.entries(SIZES)) {
  for (const colorScheme of /** @type {const} */ (['dark', 'light'])) {
    const page = await browser.newPage({ viewport: { width, height }, colorScheme });
    await page.goto(url);
    await page.waitForFunction(() => window.desk?.frame !== null);
    for (const view of views.length > 0 ? views : VIEWS) {
      await page.evaluate((hash) => (location.hash = hash), view);
      await page.locator(`#tab-${view}[aria-selected="true"]`).waitFor();
      await page.evaluate(() => new Promise((resolve) => setTimeout(resolve, 300)));
      const wide = await page.evaluate(() => document.documentElement.scrollWidth - document.documentElement.clientWidth);
      const path = join(folder, `${view}-${name}-${colorScheme}.png`);
      await page.screenshot({ path, fullPage: name === 'phone' });
      console.log(`${path}${wide > 0 ? `: ${wide} px too wide` : ''}`);
    }
    await page.close();
  }
}
await browser.close();
