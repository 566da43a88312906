/** All pathologies of the lab. */
import { applications } from './pathologies/applications.ts'
import { datagrams } from './pathologies/datagrams.ts'
import { packets } from './pathologies/packets.ts'
import type { Pathologies } from './pathologies/pathology.ts'
import { proxies } from './pathologies/proxies.ts'

export const pathologies: Pathologies = { ...packets, ...proxies, ...datagrams, ...applications }
