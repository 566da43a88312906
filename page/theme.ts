/** Colours for what is drawn on a canvas, where style sheets do not reach. */
import { signal } from '@preact/signals'

const dark = matchMedia('(prefers-color-scheme: dark)')

/** Each drawing reads this signal, so it is drawn again when the theme changes. */
export const isDark = signal(dark.matches)
dark.addEventListener('change', () => (isDark.value = dark.matches))

/** A colour of styles/colors.css by its name. */
export const color = (name: string): string =>
  getComputedStyle(document.documentElement).getPropertyValue(`--${name}`).trim()

export const canvasFont = '11px system-ui, sans-serif'
