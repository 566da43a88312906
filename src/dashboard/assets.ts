/** The files of the page, read once at start: no request reaches the disk. */
import { readdirSync, readFileSync } from 'node:fs'
import { extname, join } from 'node:path'
import { fileURLToPath } from 'node:url'

export interface Asset {
  type: string
  body: Buffer
  /** Its name changes with its contents. */
  lasting: boolean
}

const types: Record<string, string> = {
  '.html': 'text/html; charset=utf-8',
  '.js': 'text/javascript; charset=utf-8',
  '.css': 'text/css; charset=utf-8',
  '.svg': 'image/svg+xml',
  '.png': 'image/png',
  '.ico': 'image/x-icon',
  '.woff2': 'font/woff2',
  '.json': 'application/json',
  '.webmanifest': 'application/manifest+json',
}

const pageFolder = fileURLToPath(new URL('../page/', import.meta.url))

/** The files of the built page, by the path of a request; empty if it is not built. */
export function readAssets(folder = pageFolder): Map<string, Asset> {
  const assets = new Map<string, Asset>()
  let names: string[]
  try {
    names = readdirSync(folder, { recursive: true, encoding: 'utf8' })
  } catch {
    return assets
  }
  for (const name of names) {
    const type = types[extname(name)]
    const path = `/${name.replaceAll('\\', '/')}`
    if (type === undefined) continue
    const lasting = path.startsWith('/assets/')
    assets.set(path, { type, body: readFileSync(join(folder, name)), lasting })
  }
  const index = assets.get('/index.html')
  if (index) assets.set('/', index)
  return assets
}
