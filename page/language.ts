/**
 * Chromium without a locale (LANG=C) calls its language `en-US@posix`, which Intl refuses; uPlot
 * asks for it as soon as it is loaded. So this has to be imported before it.
 */
try {
  Intl.getCanonicalLocales(navigator.language)
} catch {
  Object.defineProperty(navigator, 'language', { value: 'en-GB' })
}
