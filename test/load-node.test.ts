/** What is promised of a load, on the node engine. */
import { loadSuite } from './load.suite.ts'

loadSuite('node')
