/** The suite, on the node engine. */
import { engineSuite } from './engine.suite.ts'

await engineSuite('node')
