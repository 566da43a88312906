/** What is promised of a load, on the uring engine. */
import { loadSuite } from './load.suite.ts'

loadSuite('uring')
