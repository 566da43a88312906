/** Finds links of built pages that lead nowhere. Nothing is fetched. */
import { existsSync, readdirSync, readFileSync, statSync } from 'node:fs'
import { dirname, join, relative } from 'node:path'

const unescape = text =>
  text.replaceAll('&quot;', '"').replaceAll('&#39;', "'").replaceAll('&amp;', '&')

/** @returns how many pages there are, and each dead link with its page */
export function deadLinksIn(folder) {
  const files = readdirSync(folder, { recursive: true, encoding: 'utf8' }).map(name =>
    join(folder, name),
  )
  const pages = files.filter(name => name.endsWith('.html'))
  const texts = new Map(pages.map(page => [page, readFileSync(page, 'utf8')]))
  // Icons are parts of a picture.
  const withAnchors = files.filter(name => /\.(html|svg)$/.test(name))
  const anchors = new Map(withAnchors.map(file => [file, anchorsIn(readFileSync(file, 'utf8'))]))
  const dead = pages.flatMap(page =>
    linksIn(texts.get(page))
      .filter(link => !leads(page, link, anchors))
      .map(link => `${relative(folder, page)}: ${link}`),
  )
  return { pages: pages.length, dead }
}

const valuesOf = (names, text) =>
  [...text.matchAll(new RegExp(`<[a-z][^<>]*?\\s(?:${names})="([^"]*)"`, 'g'))].map(([, value]) =>
    unescape(value),
  )
const anchorsIn = text => new Set(valuesOf('id|name', text))
const linksIn = text => [...valuesOf('href', text), ...valuesOf('src', text)]

function leads(page, link, anchors) {
  if (/^[a-z]+:/.test(link)) return true
  const [path, anchor = ''] = link.split('#')
  const [file] = path.split('?')
  const target = file === '' ? page : join(dirname(page), decodeURI(file))
  if (!existsSync(target)) return false
  const found = statSync(target).isDirectory() ? join(target, 'index.html') : target
  return existsSync(found) && (anchor === '' || anchors.get(found)?.has(decodeURI(anchor)) === true)
}
