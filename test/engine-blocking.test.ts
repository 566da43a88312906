/** The suite, on the blocking engine, in which each client takes its time to get a thread. */
import { engineSuite } from './engine.suite.ts'

await engineSuite('blocking', 10)
