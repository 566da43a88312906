/** A coordinator that is its own broker on a free port, and agents in this process. */
import { agent, bench, type Agent, type AgentOptions, type BenchOptions } from 'yodel'

export interface Fleet {
  /** Where the broker is. */
  url: string
  run: ReturnType<typeof bench>
  events: string[]
  agents: Agent[]
  join: (options?: AgentOptions) => Agent
}

/** Once the broker is there, that many agents join it. */
export async function fleet(
  address: string,
  options: BenchOptions & { agents: number },
  agentOptions: AgentOptions = {},
  joining = options.agents,
): Promise<Fleet> {
  const events: string[] = []
  let run!: Fleet['run']
  const where = new Promise<string>((resolve, reject) => {
    const onEvent = (line: string) => {
      events.push(line)
      const found = / (mqtts?:\/\/\S+)/.exec(line)
      if (found) resolve(found[1]!)
    }
    const brokerListen = options.brokerListen ?? 'mqtt://127.0.0.1:0'
    run = bench(address, { warmupMs: 0, agentTimeoutMs: 60_000, ...options, brokerListen, onEvent })
    run.finished.catch(reject)
  })
  const url = await where
  const agents: Agent[] = []
  const join = (more: AgentOptions = {}) => {
    const name = `a${agents.length + 1}`
    const joined = agent(url, {
      name,
      onEvent: line => events.push(line),
      ...agentOptions,
      ...more,
    })
    agents.push(joined)
    return joined
  }
  for (let n = 0; n < joining; n++) join()
  return { url, run, events, agents, join }
}

/** The agents leave; all that they were asked to do is done. */
export async function leave({ agents }: Pick<Fleet, 'agents'>): Promise<void> {
  for (const each of agents) each.stop()
  await Promise.all(agents.map(({ finished }) => finished))
}
