/** Checks reports of the other end, which may contain anything. */
import { readHistogram, type SavedHistogram } from '../../../metrics/saved.ts'
import { isReport, type Report } from '../../../wire/direction/trace.ts'

function isHistogram(saved: SavedHistogram | undefined): boolean {
  try {
    readHistogram(saved!)
    return true
  } catch {
    return false
  }
}

/** Whether all distributions of a last report can be read. */
export function isReadable({ end }: Report): boolean {
  if (!end) return true
  const { gaps, datagrams } = end
  if (!isHistogram(gaps)) return false
  return !datagrams || (isHistogram(datagrams.variation) && isHistogram(datagrams.between))
}

/** Reads a last report from its bytes; undefined if it makes no sense. */
export function reportOf(bytes: Buffer): Report | undefined {
  try {
    const report = JSON.parse(bytes.toString()) as Report
    const isObject = typeof report === 'object' && report !== null
    return isObject && isReport(report) && isReadable(report) ? report : undefined
  } catch {
    return undefined
  }
}
