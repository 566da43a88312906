/** Titles and addresses of pages, and the order in which the site lists them. */
import { readFileSync } from 'node:fs'
import { join, relative } from 'node:path'
import { fileURLToPath } from 'node:url'
import { DefaultTheme, JSX, KindRouter, ReflectionKind, Slugger } from 'typedoc'
import { anchorOf, fileOf, linksIn } from '../build/test/links.js'

export const root = fileURLToPath(new URL('../', import.meta.url))
const contents = 'docs/README.md'

/** The path of a document in the repository, with slashes. */
const pathOf = document =>
  relative(root, document.project.files.getReflectionPath(document)).replaceAll('\\', '/')

/** A document is called what its heading says. */
export function nameDocument(document) {
  const text = document.content.map(part => part.text).join('')
  const [, heading] = /^# (.*)$/m.exec(text) ?? []
  if (heading === undefined) throw new Error(`${pathOf(document)} has no heading`)
  document.name = heading.replaceAll('`', '')
}

/** The sections of the table of contents, with their documents; none has two places. */
function sections() {
  const seen = new Set()
  const [, ...parts] = readFileSync(join(root, contents), 'utf8').split(/^## /m)
  return parts.map(part => {
    const paths = linksIn(part).map(link => fileOf(contents, link))
    const own = paths.filter(path => path.endsWith('.md') && !seen.has(path) && seen.add(path))
    return { title: part.split('\n', 1)[0], paths: own }
  })
}

/** docs/serve.md is serve.html, deploy/README.md is deploy.html. */
const addressOf = path =>
  path
    .replace(/\.md$/, '')
    .replace(/\/README$/, '')
    .replace(/^docs\//, '')
    .toLowerCase()

/** The same anchors as in the repository. */
class Anchors extends Slugger {
  serialize(heading) {
    return anchorOf(heading)
  }
}

export const createRouter = () =>
  class extends KindRouter {
    buildPages(project) {
      const pages = super.buildPages(project)
      for (const { model } of pages)
        if (model.isProject() || model.isDocument())
          this.sluggers.set(model, new Anchors({ lowercase: true }))
      return pages
    }

    getIdealBaseName(target) {
      if (target.isDocument()) return addressOf(pathOf(target))
      return `library/${super.getIdealBaseName(target)}`
    }

    /** What TypeDoc calls modules is the one module that there is. */
    getFileName(name) {
      return super.getFileName(name === 'modules' ? 'library' : name)
    }
  }

export const createTheme = () =>
  class extends DefaultTheme {
    buildNavigation(project) {
      const documents = new Map(project.documents.map(each => [pathOf(each), each]))
      const entry = (text, path, kind) => ({ text, path, kind })
      const listed = sections().map(({ title, paths }) => ({
        text: title,
        children: paths.map(path => {
          const document = documents.get(path)
          return entry(document.name, this.router.getFullUrl(document), ReflectionKind.Document)
        }),
      }))
      const kinds = project.groups.map(({ title, children }) => ({
        text: title,
        children: children.map(each => entry(each.name, this.router.getFullUrl(each), each.kind)),
      }))
      return [...listed, { text: 'Library', path: 'library.html', children: kinds }]
    }

    getRenderContext(page) {
      const context = super.getRenderContext(page)
      const { header } = context
      // A document begins with its own heading.
      context.header = props => {
        if (props.model.isDocument()) return undefined
        if (props.url !== 'library.html') return header(props)
        return JSX.createElement('div', { class: 'tsd-page-title' }, libraryHeading())
      }
      return context
    }
  }

const libraryHeading = () => JSX.createElement('h1', null, 'The library')
