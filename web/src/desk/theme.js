// Dark or light: as the system has it, or as somebody has chosen.

const KEY = 'touchline.theme';

/** @returns {'dark' | 'light'} */
export function theme() {
  const chosen = document.documentElement.dataset.theme;
  if (chosen === 'dark' || chosen === 'light') return chosen;
  return matchMedia('(prefers-color-scheme: light)').matches ? 'light' : 'dark';
}

/** As it was chosen before, if it was. */
export function applyTheme() {
  try {
    const kept = localStorage.getItem(KEY);
    if (kept === 'dark' || kept === 'light') document.documentElement.dataset.theme = kept;
  } catch {
    // Where nothing can be kept, the system decides.
  }
}

/** The other one, from now on. */
export function toggleTheme() {
  const next = theme() === 'dark' ? 'light' : 'dark';
  document.documentElement.dataset.theme = next;
  try {
    localStorage.setItem(KEY, next);
  } catch {
    // It holds until the page is left.
  }
  dispatchEvent(new Event('themechange'));
}
