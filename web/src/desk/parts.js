// What several views are made of.

import htm from 'htm';
import { h } from 'preact';
import { useEffect, useRef, useState } from 'preact/hooks';

import { Refused } from './api.js';

export const html = htm.bind(h);

/** @param {{ title: string, class?: string, children?: any, aside?: any }} props */
export function Card({ title, children, aside, class: kind = '' }) {
  return html`<section class="card ${kind}"><header><h2>${title}</h2>${aside}</header>${children}</section>`;
}

/**
 * Figures with their names.
 *
 * @param {{ of: [name: string, value: unknown, detail?: unknown, bad?: boolean][], class?: string }} props
 */
export function Figures({ of, class: kind = '' }) {
  return html`<dl class="figures ${kind}">
    ${of.map(
      ([name, value, detail, bad]) =>
        html`<div key=${name} data-bad=${bad ? '' : undefined}><dt>${name}</dt><dd>${value}${bad ? html`<span class="sr"> (bad)</span>` : null}</dd>${detail ? html`<dd class="detail">${detail}</dd>` : null}</div>`,
    )}
  </dl>`;
}

/** @param {{ kind: 'good' | 'info' | 'warning' | 'critical', children?: any }} props */
export function Pill({ kind, children }) {
  const sign = { good: '●', info: '○', warning: '▲', critical: '■' }[kind];
  return html`<span class="pill" data-kind=${kind}><span aria-hidden="true">${sign}</span> ${children}</span>`;
}

/** How much of something is taken. @param {{ label: string, share: number, words: string }} props */
export function Bar({ label, share, words }) {
  const percent = Math.round(100 * Math.min(1, Math.max(0, share)));
  const level = share > 0.85 ? 'critical' : share > 0.7 ? 'warning' : 'good';
  return html`<div class="load">
    <div class="track" role="meter" aria-label=${label} aria-valuemin="0" aria-valuemax="100" aria-valuenow=${percent} aria-valuetext=${words} data-kind=${level}>
      <div class="filled" style=${{ width: `${percent}%` }}></div>
    </div>
    <span>${words}</span>
  </div>`;
}

/**
 * A button that asks before it does what cannot be undone, and says what came of it where it was pressed.
 *
 * @param {{ label: string, of?: string, sure?: string, act: () => Promise<unknown> }} props `of`: what it is done to, for who does not see where the
 *   button stands; `sure`: the question
 */
export function Act({ label, of, sure, act }) {
  const dialog = /** @type {{ current: HTMLDialogElement | null }} */ (useRef(null));
  const [state, setState] = useState({ busy: false, why: '' });
  const run = async () => {
    dialog.current?.close();
    setState({ busy: true, why: '' });
    try {
      await act();
      setState({ busy: false, why: '' });
    } catch (error) {
      setState({ busy: false, why: error instanceof Refused ? error.message : String(error) });
    }
  };
  return html`<span class="act">
    <button type="button" disabled=${state.busy} onClick=${() => (sure ? dialog.current?.showModal() : void run())}>${label}${of && html`<span class="sr"> ${of}</span>`}</button>
    ${state.why && html`<span class="problem" role="alert">${state.why}</span>`}
    ${sure &&
    html`<dialog ref=${dialog} aria-label=${sure}>
      <p>${sure}</p>
      <div class="row"><button type="button" onClick=${() => dialog.current?.close()}>Cancel</button><button type="button" class="lead" onClick=${() => void run()}>${label}</button></div>
    </dialog>`}
  </span>`;
}

/**
 * A form whose refusal is told beneath it.
 *
 * @param {{ label: string, submit: string, act: (form: FormData) => Promise<unknown>, children?: any, clear?: boolean }} props
 */
export function Form({ label, submit, act, children, clear }) {
  const [state, setState] = useState({ busy: false, why: '' });
  const send = async (/** @type {SubmitEvent} */ event) => {
    event.preventDefault();
    const form = /** @type {HTMLFormElement} */ (event.currentTarget);
    setState({ busy: true, why: '' });
    try {
      await act(new FormData(form));
      if (clear) form.reset();
      setState({ busy: false, why: '' });
    } catch (error) {
      setState({ busy: false, why: error instanceof Refused ? error.message : String(error) });
    }
  };
  return html`<form aria-label=${label} onSubmit=${send} autocomplete="off">
    ${children}
    <button type="submit" class="lead" disabled=${state.busy}>${submit}</button>
    ${state.why && html`<p class="problem" role="alert">${state.why}</p>`}
  </form>`;
}

/** @param {{ label: string, name: string, type?: string, [attribute: string]: unknown }} props */
export function Field({ label, name, type = 'text', ...rest }) {
  return html`<label class="field">${label}<input name=${name} type=${type} ...${rest} /></label>`;
}

/** @param {{ children?: any }} props */
export function Nothing({ children }) {
  return html`<p class="nothing">${children}</p>`;
}

/** Calls back whenever the theme changes. @param {() => void} changed */
export function useTheme(changed) {
  useEffect(() => {
    const media = matchMedia('(prefers-color-scheme: light)');
    media.addEventListener('change', changed);
    addEventListener('themechange', changed);
    return () => {
      media.removeEventListener('change', changed);
      removeEventListener('themechange', changed);
    };
  }, []);
}
