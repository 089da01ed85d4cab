// The page: which view is shown, and whether what it shows is new.

import { useEffect, useState } from 'preact/hooks';

import { Feeds } from './feeds.js';
import { Fleet } from './fleet.js';
import { clock, span } from './format.js';
import { Hints } from './hints.js';
import { Ladders } from './ladder.js';
import { Login } from './login.js';
import { Pill, html } from './parts.js';
import { theme, toggleTheme } from './theme.js';
import { Timeline } from './timeline.js';
import { Wall } from './wall.js';

const VIEWS = /** @type {const} */ ([
  ['wall', 'Wall'],
  ['feeds', 'Feeds'],
  ['ladder', 'Ladder'],
  ['fleet', 'Fleet'],
  ['hints', 'Hints'],
  ['timeline', 'Timeline'],
]);

/** @returns {string} */
function chosen() {
  const name = location.hash.slice(1);
  return VIEWS.some(([view]) => view === name) ? name : 'wall';
}

/** @param {{ store: import('./store.js').Store }} props */
export function App({ store }) {
  const [view, setView] = useState(chosen);
  useEffect(() => {
    const onHash = () => setView(chosen());
    const onKey = (/** @type {KeyboardEvent} */ event) => {
      const typing = event.target instanceof HTMLElement && event.target.closest('input, select, textarea, dialog');
      const at = VIEWS[Number(event.key) - 1];
      if (!typing && at && !event.ctrlKey && !event.metaKey && !event.altKey) location.hash = at[0];
    };
    addEventListener('hashchange', onHash);
    addEventListener('keydown', onKey);
    return () => {
      removeEventListener('hashchange', onHash);
      removeEventListener('keydown', onKey);
    };
  }, []);

  if (store.phase === 'login') return html`<${Login} store=${store} />`;
  const { frame } = store;
  if (!frame) return html`<main class="login" aria-busy="true"><p role="status">${store.trouble ?? 'Asking the server …'}</p></main>`;
  const critical = frame.alerts.filter(({ severity }) => severity === 'critical').length;
  return html`<div class="page" data-stale=${store.staleMs > 0 ? '' : undefined}>
    <header class="bar">
      <a class="brand" href="/"><svg viewBox="0 0 16 16" aria-hidden="true"><path d="M1 13h14" /><circle cx="9" cy="8.4" r="3" /></svg><span>Touchline</span></a>
      <h1>Event desk, ${frame.node}</h1>
      ${frame.draining && html`<${Pill} kind="warning">draining<//>`}
      <time class="clock" datetime=${frame.at}>${clock(frame.at)}</time>
      <button type="button" class="plain" onClick=${toggleTheme} aria-label=${`Change to ${theme() === 'dark' ? 'light' : 'dark'} colours`}>◐</button>
      ${store.loginRequired && html`<button type="button" class="plain" onClick=${() => void store.logOut()}>Log out</button>`}
    </header>
    <${Tabs} view=${view} alerts=${frame.alerts.length} feeds=${frame.publishers.length} />
    ${store.staleMs > 0 && html`<p class="stale" role="alert"><strong>Old figures:</strong> nothing has come for ${span(store.staleMs / 1000)}. ${store.trouble ?? 'The server is silent.'} It is tried again.</p>`}
    <div class="sr" role="status">${critical > 0 ? `${critical} critical alerts: ${frame.alerts.map(({ summary }) => summary).join('; ')}` : ''}</div>
    <main id="view" role="tabpanel" aria-labelledby=${`tab-${view}`} tabindex="-1">${shown(view, store, frame)}</main>
  </div>`;
}

/** @param {string} view @param {import('./store.js').Store} store @param {import('./contract.js').Frame} frame */
function shown(view, store, frame) {
  switch (view) {
    case 'feeds': return html`<${Feeds} frame=${frame} />`;
    case 'ladder': return html`<${Ladders} frame=${frame} />`;
    case 'fleet': return html`<${Fleet} frame=${frame} />`;
    case 'hints': return html`<${Hints} frame=${frame} />`;
    case 'timeline': return html`<${Timeline} entries=${store.entries} />`;
    default: return html`<${Wall} store=${store} frame=${frame} />`;
  }
}

/** @param {{ view: string, alerts: number, feeds: number }} props */
function Tabs({ view, alerts, feeds }) {
  const move = (/** @type {KeyboardEvent} */ event) => {
    const step = { ArrowRight: 1, ArrowLeft: -1 }[event.key];
    if (!step) return;
    event.preventDefault();
    const at = VIEWS.findIndex(([name]) => name === view);
    const [next] = /** @type {typeof VIEWS[number]} */ (VIEWS[(at + step + VIEWS.length) % VIEWS.length]);
    location.hash = next;
    document.getElementById(`tab-${next}`)?.focus();
  };
  // On a telephone there is not room for all of them.
  useEffect(() => document.getElementById(`tab-${view}`)?.scrollIntoView({ block: 'nearest', inline: 'center' }), [view]);
  const count = (/** @type {string} */ name) => (name === 'wall' && alerts > 0 ? alerts : name === 'feeds' ? feeds : 0);
  return html`<nav class="tabs" role="tablist" aria-label="Views" onKeyDown=${move}>
    ${VIEWS.map(
      ([name, label], index) => html`<button key=${name} type="button" role="tab" id=${`tab-${name}`} aria-selected=${view === name} aria-controls="view" tabindex=${view === name ? 0 : -1} onClick=${() => (location.hash = name)}>
        <kbd aria-hidden="true">${index + 1}</kbd> ${label}${count(name) > 0 ? html` <span class="count">${count(name)}<span class="sr"> ${name === 'wall' ? 'alerts' : 'publishers'}</span></span>` : null}
      </button>`,
    )}
  </nav>`;
}
