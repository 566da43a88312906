/** The suite, on every engine. */
import { engineSuite } from './engine.suite.ts'

await engineSuite('node')
await engineSuite('uring')
// A thread for each takes its time to start.
await engineSuite('blocking', 10)
