/** A promise, with functions that settle it. */
export interface Deferred<T> {
  readonly promise: Promise<T>
  resolve(value: T): void
  reject(error: Error): void
}

export function deferred<T>(): Deferred<T> {
  let resolve!: (value: T) => void
  let reject!: (error: Error) => void
  const promise = new Promise<T>((yes, no) => ([resolve, reject] = [yes, no]))
  // The promise may reject before anything waits for it.
  promise.catch(() => {})
  return { promise, resolve, reject }
}

/** The value of a promise; undefined if that takes longer than `ms`. */
export async function within<T>(promise: Promise<T>, ms: number): Promise<T | undefined> {
  let timer: NodeJS.Timeout | undefined
  const late = new Promise<undefined>(resolve => {
    timer = setTimeout(() => resolve(undefined), ms)
  })
  return Promise.race([promise, late]).finally(() => clearTimeout(timer))
}

/** A promise that rejects when the signal is aborted. */
export function abortOf(signal: AbortSignal): Promise<never> {
  const aborted = deferred<never>()
  signal.addEventListener('abort', () => aborted.reject(signal.reason as Error))
  return aborted.promise
}
