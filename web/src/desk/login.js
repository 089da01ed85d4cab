// Who comes from another machine says the token.

import { Field, Form, html } from './parts.js';

/** @param {{ store: import('./store.js').Store }} props */
export function Login({ store }) {
  return html`<main class="login">
    <section class="card">
      <header><h1>Event desk</h1></header>
      <${Form} label="Log in" submit="Log in" act=${(/** @type {FormData} */ form) => store.logIn(String(form.get('token') ?? ''))}>
        <${Field} label="Token" name="token" type="password" required autocomplete="current-password" />
      <//>
      <p class="fine">It is set by [admin] token in touchline.toml, or TOUCHLINE_ADMIN_TOKEN.</p>
    </section>
  </main>`;
}
