/** Links in Markdown: where they lead, and which of them lead nowhere. Nothing is fetched. */
import { dirname, join } from 'node:path/posix'

const withoutFences = (text: string) => text.replaceAll(/^ *(```+)[^]*?^ *\1.*$/gm, '')
const withoutCode = (text: string) =>
  withoutFences(text).replaceAll(/(`+)[^]*?[^`]\1(?!`)/g, 'code')

/** The anchor of a heading, as GitHub makes it. */
export function anchorOf(heading: string): string {
  const kept = heading.trim().toLowerCase()
  return kept.replaceAll(/[^\p{L}\p{M}\p{N}\p{Pc}\- ]/gu, '').replaceAll(' ', '-')
}

/** What a reader sees of a line of Markdown. */
const plain = (line: string) => line.replaceAll(/\[([^\]]*)\]\([^)]*\)/g, '$1').replaceAll('*', '')

/** Headings that are alike get numbers. */
export function anchorsIn(text: string): Set<string> {
  const anchors = new Set<string>()
  for (const [, heading] of withoutFences(text).matchAll(/^#{1,6} +(.*)$/gm)) {
    const first = anchorOf(plain(heading!))
    let anchor = first
    for (let n = 1; anchors.has(anchor); n++) anchor = `${first}-${n}`
    anchors.add(anchor)
  }
  return anchors
}

/** The targets of links and of pictures. */
export function linksIn(text: string): string[] {
  const prose = withoutCode(text)
  const inline = prose.matchAll(/\]\(\s*<?([^)\s>]+)>?(?:\s+"[^"]*")?\s*\)/g)
  const named = prose.matchAll(/^ {0,3}\[[^\]]+\]: *(\S+)/gm)
  return [...inline, ...named].map(([, target]) => target!)
}

const isExternal = (link: string) => /^[a-z][a-z+.-]*:/.test(link)

/** The file, from the root on, to which a link of a page leads; undefined outside of the root. */
export function fileOf(page: string, link: string): string | undefined {
  if (isExternal(link)) return undefined
  const [path = ''] = link.split('#')
  return path === '' ? page : join(dirname(page), decodeURI(path)).replace(/\/$/, '')
}

/** @param textOf of a page its text; of what else is there any text, of nothing undefined */
export function deadLinks(page: string, textOf: (path: string) => string | undefined): string[] {
  return linksIn(textOf(page) ?? '').filter(link => {
    const file = fileOf(page, link)
    if (file === undefined) return false
    const text = textOf(file)
    const [, anchor] = link.split('#')
    return text === undefined || (anchor !== undefined && !anchorsIn(text).has(anchor))
  })
}
