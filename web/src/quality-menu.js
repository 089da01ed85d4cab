// The menu of renditions: a menu button as the ARIA authoring practices describe it, by mouse, touch and keyboard.

import { inWords } from './renditions.js';

/** What `session.choice` is while the player chooses. */
const AUTO = null;

/**
 * Returns what makes the menu show the state of the session.
 *
 * @param {(id: string) => HTMLElement} element
 * @param {import('./session.js').Session} session
 */
export function connectQualityMenu(element, session) {
  const [stage, button, menu] = [element('stage'), element('quality'), element('quality-menu')];
  const items = () => /** @type {HTMLElement[]} */ ([...menu.querySelectorAll('[role="menuitemradio"]')]);

  const show = (/** @type {boolean} */ shown) => {
    menu.hidden = !shown;
    stage.dataset.menu = shown ? 'open' : 'closed';
    button.setAttribute('aria-expanded', String(shown));
  };
  const open = (/** @type {HTMLElement | undefined} */ at = undefined) => {
    show(true);
    (at ?? items().find((each) => each.getAttribute('aria-checked') === 'true') ?? items()[0])?.focus();
  };
  const close = ({ giveBackFocus = true } = {}) => {
    if (menu.hidden) return;
    if (giveBackFocus && menu.contains(document.activeElement)) button.focus();
    show(false);
  };
  const step = (/** @type {number} */ by) => {
    const all = items();
    const now = all.findIndex((each) => each === document.activeElement);
    all[(now + by + all.length) % all.length]?.focus();
  };

  button.addEventListener('click', () => (menu.hidden ? open() : close()));
  button.addEventListener('keydown', (event) => {
    const at = { ArrowDown: () => items()[0], ArrowUp: () => items().at(-1) }[event.key];
    if (!at) return;
    event.preventDefault();
    open(at());
  });
  menu.addEventListener('keydown', (event) => {
    const act = {
      ArrowDown: () => step(1),
      ArrowUp: () => step(-1),
      Home: () => items()[0]?.focus(),
      End: () => items().at(-1)?.focus(),
      Escape: close,
    }[event.key];
    if (event.key === 'Tab') close();
    if (!act) return;
    event.preventDefault();
    act();
  });
  menu.addEventListener('click', ({ target }) => {
    const pressed = /** @type {HTMLElement} */ (target).closest('[role="menuitemradio"]');
    if (!(pressed instanceof HTMLElement)) return;
    session.choose(pressed.dataset.name ?? AUTO);
    close();
  });
  // Whatever else is pressed means that the menu is not wanted.
  document.addEventListener('pointerdown', ({ target }) => {
    if (!menu.contains(/** @type {Node} */ (target)) && !button.contains(/** @type {Node} */ (target))) close({ giveBackFocus: false });
  });

  let listed = '';
  return () => {
    const { renditions = [], rendition = null } = session.playback?.readings() ?? {};
    const several = renditions.length > 1;
    button.hidden = !several;
    if (!several || element('controls').hidden) close();
    if (!several) return;
    const list = JSON.stringify(renditions);
    if (list !== listed) {
      const focused = /** @type {HTMLElement | null} */ (menu.contains(document.activeElement) ? document.activeElement : null)?.dataset.name;
      menu.replaceChildren(item(undefined, 'Auto', ''), ...renditions.map(({ name, bitrate }) => item(name, name, name.endsWith(inWords(bitrate)) ? '' : inWords(bitrate))));
      if (focused) items().find(({ dataset }) => dataset.name === focused)?.focus();
      listed = list;
    }
    // What was chosen may not be there at the moment.
    const chosen = renditions.find(({ name }) => name === session.choice)?.name;
    const auto = rendition && chosen === undefined ? `Auto (${rendition})` : 'Auto';
    write(element('quality-name'), chosen ?? auto);
    for (const each of items()) {
      each.setAttribute('aria-checked', String(each.dataset.name === chosen));
      if (each.dataset.name === undefined) write(/** @type {HTMLElement} */ (each.firstElementChild), auto);
    }
  };
}

/**
 * @param {string | undefined} key what is chosen by it; none is Auto
 * @param {string} name
 * @param {string} detail
 */
function item(key, name, detail) {
  const made = document.createElement('button');
  made.type = 'button';
  made.tabIndex = -1;
  made.setAttribute('role', 'menuitemradio');
  if (key !== undefined) made.dataset.name = key;
  const words = [name, detail].map((text) => Object.assign(document.createElement('span'), { textContent: text }));
  made.append(...words);
  return made;
}

/**
 * Touches the page only when something changed.
 *
 * @param {HTMLElement} into
 * @param {string} text
 */
function write(into, text) {
  if (into.textContent !== text) into.textContent = text;
}
