/** Runs several test files in one process: those in TEST_FILES, as paths of the package. */
import { pathToFileURL } from 'node:url'
import { root } from './program.ts'

for (const file of process.env['TEST_FILES']!.split(' '))
  await import(pathToFileURL(root + file).href)
