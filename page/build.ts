/** Builds the page into dist/page, unless what is there was made of the same files. */
import { createHash } from 'node:crypto'
import { existsSync, readdirSync, readFileSync, renameSync, rmSync, writeFileSync } from 'node:fs'
import { join, relative } from 'node:path'
import { fileURLToPath } from 'node:url'

const root = fileURLToPath(new URL('../../', import.meta.url))
const output = join(root, 'dist/page')
/** What the last build was made of: a hash for each file. */
const stamp = join(root, 'build/page/inputs.json')

/** A version of a package that changes is a change of the lock file. */
const alwaysInputs = ['package-lock.json', ...filesIn('page')]

function filesIn(folder: string): string[] {
  return readdirSync(join(root, folder), { recursive: true, withFileTypes: true })
    .filter(entry => entry.isFile())
    .map(entry => relative(root, join(entry.parentPath, entry.name)))
}

const hashes = (files: string[]): Record<string, string> =>
  Object.fromEntries(
    [...new Set(files)].toSorted().map(file => {
      const path = join(root, file)
      const content = existsSync(path) ? readFileSync(path) : ''
      return [file, createHash('sha256').update(content).digest('base64')]
    }),
  )

/** The files of src/ that the page uses are known from the last time. */
function isFresh(): boolean {
  if (!existsSync(stamp) || !existsSync(join(output, 'index.html'))) return false
  const before = readFileSync(stamp, 'utf8')
  const used = Object.keys(JSON.parse(before) as object).filter(file => file.startsWith('src'))
  return JSON.stringify(hashes([...alwaysInputs, ...used])) === before
}

/** The old page stays until the new one is complete. */
async function build(): Promise<void> {
  const fresh = `${output}.${process.pid}`
  try {
    const used = await bundle(fresh)
    rmSync(output, { recursive: true, force: true })
    renameSync(fresh, output)
    writeFileSync(stamp, JSON.stringify(hashes([...alwaysInputs, ...used])))
  } catch (error) {
    // Another build was quicker, and has made the same.
    if ((error as NodeJS.ErrnoException).code !== 'ENOTEMPTY') throw error
  } finally {
    rmSync(fresh, { recursive: true, force: true })
  }
}

/** @returns the files of src/ that are in it */
async function bundle(outDir: string): Promise<string[]> {
  const { build } = await import('vite')
  const used: string[] = []
  await build({
    root: join(root, 'page'),
    configFile: false,
    base: './',
    logLevel: 'warn',
    oxc: { jsx: { runtime: 'automatic', importSource: 'preact' } },
    build: {
      outDir,
      emptyOutDir: true,
      target: 'es2022',
      // Data addresses are not allowed by the policy of the page.
      assetsInlineLimit: 0,
      modulePreload: false,
    },
    plugins: [
      {
        name: 'inputs',
        generateBundle() {
          for (const id of this.getModuleIds())
            if (id.startsWith(join(root, 'src'))) used.push(relative(root, id))
        },
      },
    ],
  })
  return used
}

if (!isFresh()) await build()
