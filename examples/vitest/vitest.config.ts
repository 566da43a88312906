/** No watching, no transformed copies on disk: the tests as they are. */
import { defineConfig } from 'vitest/config'

export default defineConfig({ test: { watch: false, pool: 'threads' } })
