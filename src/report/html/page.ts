/** The frame of a page that needs nothing else: no network, no script, no other file. */
import { html, Markup, type Content } from './markup.ts'
import { styles } from './styles.ts'

/** Nothing on the page may ask for anything, or run. */
const policy = "default-src 'none'; style-src 'unsafe-inline'; base-uri 'none'; form-action 'none'"

export const page = (title: string, ...content: Content[]): string =>
  html`<!doctype html>
    <html lang="en">
      <head>
        <meta charset="utf-8" />
        <meta name="viewport" content="width=device-width, initial-scale=1" />
        <meta http-equiv="Content-Security-Policy" content="${policy}" />
        <meta name="color-scheme" content="light dark" />
        <title>${title}</title>
        <style>
          ${new Markup(styles)}
        </style>
      </head>
      <body>
        <main>${content}</main>
      </body>
    </html> `.toString()
