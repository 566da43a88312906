/**
 * Builds the site: a page for each document, and the reference of the library, made of its types
 * and comments. `npm run site` builds it into build/site; `node site/build.js FOLDER` elsewhere.
 */
import { readdirSync } from 'node:fs'
import { join, resolve } from 'node:path'
import { Application, Converter, LogLevel } from 'typedoc'
import { deadLinksIn } from './check.js'
import { describeOption } from './options.js'
import { createRouter, createTheme, nameDocument, root } from './pages.js'

const out = resolve(process.argv[2] ?? join(root, 'build/site'))
const documents = ['.', 'docs', 'deploy', 'benchmarks', 'benchmarks/results'].flatMap(folder =>
  readdirSync(join(root, folder))
    .filter(name => name.endsWith('.md') && !(folder === '.' && name === 'README.md'))
    .map(name => join(root, folder, name)),
)

const app = await Application.bootstrapWithPlugins({
  name: 'yodel',
  includeVersion: true,
  readme: join(root, 'README.md'),
  projectDocuments: documents,
  entryPoints: [join(root, 'src/index.ts')],
  tsconfig: join(root, 'src/tsconfig.json'),
  alwaysCreateEntryPointModule: false,
  // The build has checked the types.
  skipErrorChecking: true,
  excludePrivate: true,
  excludeExternals: true,
  disableSources: true,
  disableGit: true,
  out,
  router: 'site',
  theme: 'site',
  headings: { readme: false, document: false },
  includeHierarchySummary: false,
  searchInDocuments: true,
  searchInComments: true,
  highlightLanguages: ['bash', 'json', 'typescript', 'yaml'],
  lightHighlightTheme: 'github-light',
  darkHighlightTheme: 'github-dark',
  customCss: join(root, 'site/site.css'),
  favicon: join(root, 'page/icon.svg'),
  hideGenerator: true,
  // What is printed in a terminal is not TypeScript.
  markdownItLoader: parser =>
    parser.core.ruler.push('terminal', ({ tokens }) => {
      for (const token of tokens) if (token.type === 'fence' && !token.info) token.info = 'text'
    }),
  treatWarningsAsErrors: true,
  logLevel: LogLevel.Warn,
})
app.renderer.defineRouter('site', createRouter())
app.renderer.defineTheme('site', createTheme())
app.converter.on(Converter.EVENT_CREATE_DOCUMENT, (_, document) => nameDocument(document))
app.converter.on(Converter.EVENT_CREATE_DECLARATION, describeOption)
// The overview of the library is one of code.
app.converter.on(
  Converter.EVENT_RESOLVE_END,
  ({ project }) => {
    project.groups = project.groups.filter(({ title }) => title !== 'Documents')
  },
  -1000,
)

const project = await app.convert()
if (!project) process.exit(1)
await app.generateOutputs(project)
const { pages, dead } = deadLinksIn(out)
for (const link of dead) console.error(`dead link: ${link}`)
if (dead.length > 0 || app.logger.hasErrors() || app.logger.hasWarnings()) process.exitCode = 1
else console.log(`${pages} pages in ${out}; no link is dead.`)
