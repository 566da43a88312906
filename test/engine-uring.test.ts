/** The suite, on the uring engine. */
import { engineSuite } from './engine.suite.ts'

engineSuite('uring')
