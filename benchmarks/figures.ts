/** What all benchmarks need of what they measure. */
import { readdirSync, readFileSync } from 'node:fs'

export function median(values: readonly number[]): number {
  const sorted = values.toSorted((a, b) => a - b)
  const middle = sorted.length >> 1
  return sorted.length % 2 ? sorted[middle]! : (sorted[middle - 1]! + sorted[middle]!) / 2
}

/** Processor time of all threads of a process in nanoseconds (proc_pid_schedstat(5)). */
export function schedNs(pid: number): number {
  const tasks = readdirSync(`/proc/${pid}/task`)
  const used = tasks.map(task => readFileSync(`/proc/${pid}/task/${task}/schedstat`, 'utf8'))
  return used.reduce((sum, line) => sum + Number(line.split(' ')[0]), 0)
}
