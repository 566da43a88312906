/** The suite, on the node engine. */
import { engineSuite } from './engine.suite.ts'

engineSuite('node')
