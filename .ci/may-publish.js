/** Keeps from publishing what would have dead links: npmjs.com finds documents by `repository`. */
import { readFileSync } from 'node:fs'

const { repository } = JSON.parse(readFileSync('package.json', 'utf8'))
if (!repository) {
  console.error(
    'Not published: package.json has no `repository`, so links of the README would be dead on ' +
      'npmjs.com. Set repository, homepage and bugs to where the project is hosted.',
  )
  process.exitCode = 1
}
