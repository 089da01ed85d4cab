// The event desk: who watches and how well, how feeds and ladders do, what the next minutes need; once a second.

import { render } from 'preact';

import { App } from './desk/app.js';
import { html } from './desk/parts.js';
import { Store } from './desk/store.js';
import { applyTheme } from './desk/theme.js';

const root = /** @type {HTMLElement} */ (document.getElementById('desk'));
root.replaceChildren();
applyTheme();

const store = new Store();
let due = false;
store.onChange(() => {
  if (due) return;
  due = true;
  requestAnimationFrame(() => {
    due = false;
    draw();
  });
});
draw();
store.start();

function draw() {
  render(html`<${App} store=${store} />`, root);
}

// For tests: what comes by the stream, without one.
/** @type {any} */ (window).desk = store;
