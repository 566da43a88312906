/** The suite, on every engine. */
import { engineSuite } from './engine.suite.ts'

await engineSuite('node')
