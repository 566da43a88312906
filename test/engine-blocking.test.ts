/** The suite, on the blocking engine, in which each client takes its time to get a thread. */
import { engineSuite } from './engine.suite.ts'
import { short } from './full.ts'

engineSuite('blocking', short(10, 3))
