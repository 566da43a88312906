/** Certificates for tests: files, and the way in which a server makes its own. */
import { readFileSync } from 'node:fs'
import { pathToFileURL } from 'node:url'
import type * as Certificates from '../src/wire/tls/certificate.ts'
import { root } from './program.ts'

/** How certificates are made is no part of the library. */
const certificates = pathToFileURL(`${root}dist/wire/tls/certificate.js`).href
export const { createCertificate } = (await import(certificates)) as typeof Certificates

/** One of test/peers/tls. */
export const pem = (name: string): string => readFileSync(`${root}test/peers/tls/${name}`, 'utf8')
