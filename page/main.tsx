/** Starts the page: draws it, and keeps it up to date. */
import './language.ts'
import { render } from 'preact'
import { Page } from './page.tsx'
import { listen } from './live.ts'

render(<Page />, document.querySelector('#page')!)
listen()
